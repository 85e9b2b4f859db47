// Sets the theme before anything is painted: the one that was chosen here, or the
// system's. A classic script, as modules run only after the page is parsed.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const apply = () => {
    const theme = stored() || (dark.matches ? "dark" : "light");
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  };
  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("themechoice", (event) => {
    try { localStorage.setItem("theme", event.detail); } catch { /* a private window forgets */ }
    document.documentElement.dataset.theme = event.detail;
    document.dispatchEvent(new Event("themechange"));
  });
})();
