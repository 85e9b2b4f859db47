package main

import (
	"strings"
	"testing"

	"orchestrator/cmd/orchestrator/internal/web/browsertest"
)

// testPagesOfSigningIn: nothing is shown before one has signed in, a wrong token does
// not let in, and who may only look has no buttons.
func testPagesOfSigningIn(t *testing.T, b *browsertest.Browser) {
	operate, view := strings.Repeat("operator-", 4), strings.Repeat("onlooker-", 4)
	w := newWorkspace(t, "ORCHESTRATOR_SERVE_TOKENS=ada:operate:"+operate+",bob:view:"+view)
	w.start("run", w.tiny())
	p := b.Page(t, w.serve(), browsertest.Light)
	p.Expect("401") // the browser itself notes refusals
	p.Open("/workers?from=a+link")
	p.Wait(`location.pathname === "/login"`, "one has to sign in")
	p.Check("login")
	if text := p.Eval("document.body.innerText"); strings.Contains(text, "Workers") {
		t.Errorf("the page shows too much to somebody who has not signed in:\n%s", text)
	}
	p.Type("[name=token]", "not the token"+browsertest.Enter)
	p.WaitText("[role=alert]", "does not know this token")
	p.Check("login-refused")
	p.Eval(`document.querySelector("[name=token]").value = ""`)
	p.Type("[name=token]", operate+browsertest.Enter)
	p.Wait(`location.pathname + location.search === "/workers?from=a+link"`, "one is where one wanted to be")
	p.WaitText(".who", "ada")
	p.Click("a.brand")
	p.Click("tbody th a")
	p.Wait(`document.querySelector("[data-action=pause], [data-action=retry], [data-action=settings]") || document.querySelector("[data-sweep-state=completed]")`, "who operates has buttons")
	p.Click(`[aria-label="Log out"]`)
	p.Wait(`location.pathname === "/login"`, "one is out")
	p.Open("/")
	p.Wait(`location.pathname === "/login"`, "and stays out")

	p.Type("[name=token]", view+browsertest.Enter)
	p.WaitText(".who", "bob")
	p.Click("tbody th a")
	p.Wait(`document.querySelector("[data-sweep-state]")`, "the sweep is shown")
	if n := p.Eval(`document.querySelectorAll("[data-action=pause], [data-action=cancel], [data-action=settings]").length`); n != "0" {
		t.Errorf("somebody who may only look has %s buttons", n)
	}
}
