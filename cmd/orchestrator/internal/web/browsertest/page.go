package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a page may take to become what a test waits for.
const patience = 30 * time.Second

// Look is how a page is looked at.
type Look struct {
	Name          string // of screenshots
	Dark          bool
	Width, Height int64 // in CSS pixels
	Phone         bool
}

// The looks that every page is checked in.
var (
	Light = Look{Name: "light", Width: 1360, Height: 860}
	Dark  = Look{Name: "dark", Dark: true, Width: 1360, Height: 860}
	Phone = Look{Name: "phone", Width: 360, Height: 740, Phone: true}
)

// Page is a tab.
type Page struct {
	*problems
	t    *testing.T
	b    *Browser
	ctx  context.Context
	base string // of the server, without a slash at its end
	look Look
}

// Page opens a tab with cookies of its own on the server at base. What is wrong with
// the pages that it shows fails the test at its end.
func (b *Browser) Page(t *testing.T, base string, look Look) *Page {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p := &Page{problems: &problems{base: base}, t: t, b: b, ctx: ctx, base: base}
	t.Cleanup(func() {
		if t.Failed() && ctx.Err() == nil {
			p.picture("failed-" + strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
		}
		end()
		for _, problem := range p.list() {
			t.Errorf("the page: %s", problem)
		}
	})
	p.do("listen", chromedp.Listen(ctx, p.hear))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	p.do("watch the network", err)
	_, err = chromedp.Call(ctx, log.Enable, struct{}{})
	p.do("watch the log", err)
	p.Look(look)
	return p
}

// Look changes how the page is looked at.
func (p *Page) Look(look Look) {
	p.t.Helper()
	p.look = look
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	p.do("choose the colours", err)
	var more []chromedp.EmulateViewportOption
	if look.Phone {
		more = append(more, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	p.do("choose the size", chromedp.Do(p.ctx, chromedp.EmulateViewport(look.Width, look.Height, more...)))
}

// settled is true where a page has all that it waits for, and its charts are drawn in
// the colours that are on.
const settled = `document.querySelector("h1, main [role=alert]") && !document.querySelector(".skeleton, [data-ready=false]") &&
	[...document.querySelectorAll("[data-chart] .canvas")].every((c) => c.dataset.drawn === document.documentElement.dataset.theme) &&
	document.documentElement.dataset.theme === (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")`

// Open goes to an address of the server, and waits until the page is complete.
func (p *Page) Open(path string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	p.do("open "+path, chromedp.Do(ctx, chromedp.Navigate(p.base+path)))
	p.Wait(settled, path+" is complete")
}

// Wait waits until a JavaScript expression is true on the page, or on the one that it
// goes to.
func (p *Page) Wait(expression, what string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	poll := chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(50*time.Millisecond))
	for {
		_, err := chromedp.Run(ctx, poll)
		if err == nil {
			return
		}
		if ctx.Err() != nil || errors.Is(err, chromedp.ErrPollingTimeout) {
			p.t.Fatalf("the page at %s: after %v still not: %s (%v)\nit says: %.1500s", p.Eval("location.href"), patience, what, err, p.Eval("document.body.innerText"))
		}
		// Asking does not survive that the page goes to another address: again.
	}
}

// WaitText waits until the first element of a CSS selector has a text in it.
func (p *Page) WaitText(selector, text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf("(document.querySelector(%s)?.textContent ?? '').includes(%s)", quote(selector), quote(text)), selector+" says "+text)
}

// Eval is what a JavaScript expression is on the page, as text.
func (p *Page) Eval(expression string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	p.do("evaluate "+expression, err)
	return text
}

// Click clicks the first element of a CSS selector, when it is there.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Wait("document.querySelector("+quote(selector)+")", selector+" is there")
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	p.do("click "+selector, chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector))))
}

// Hover moves the mouse to the middle of the first element of a CSS selector.
func (p *Page) Hover(selector string) {
	p.t.Helper()
	element := "document.querySelector(" + quote(selector) + ")"
	p.Eval(element + ".scrollIntoView({block: 'center'})")
	box, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]float64]("(() => { const b = "+element+".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"))
	p.do("find "+selector, err)
	p.do("hover over "+selector, chromedp.Do(p.ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, box[0], box[1])))
}

// Type types into the first element of a CSS selector.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.do("type into "+selector, chromedp.Do(p.ctx, chromedp.SendKeys(chromedp.CSS(selector), text)))
}

// The keys that tests press.
const (
	Enter  = kb.Enter
	Escape = kb.Escape
	Right  = kb.ArrowRight
)

// Press presses keys.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.do("press keys", chromedp.Do(p.ctx, chromedp.KeyEvent(keys)))
}

// Check looks at the page in the three looks: a picture of each, no serious finding
// of axe-core, nothing to scroll sideways. It ends in the look of before.
func (p *Page) Check(name string) {
	p.t.Helper()
	before := p.look
	defer p.Look(before)
	for _, look := range []Look{Light, Dark, Phone} {
		p.Look(look)
		p.Wait(settled, name+" is complete")
		p.picture(name + "-" + look.Name)
		for _, finding := range p.axe() {
			p.t.Errorf("%s, %s: axe-core: %s", name, look.Name, finding)
		}
		if over := p.Eval("document.documentElement.scrollWidth - innerWidth"); over != "0" && !strings.HasPrefix(over, "-") {
			p.t.Errorf("%s, %s: the page is %s pixels wider than the window", name, look.Name, over)
		}
	}
}

// picture writes a picture of the whole page.
func (p *Page) picture(name string) {
	p.t.Helper()
	p.Eval("scrollTo(0, 0)") // what sticks to the window's top belongs there
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	p.do("take a picture", err)
	p.do("write a picture", os.WriteFile(filepath.Join(p.b.Shots, name+".png"), png, 0o644))
}

// findings has axe-core name what is serious or critical, each with its first element.
const findings = `axe.run().then((r) => JSON.stringify(r.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
	.map((v) => v.id + ": " + v.help + ": " + v.nodes[0].html + " " + v.nodes[0].failureSummary)))`

func (p *Page) axe() []string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
	defer cancel()
	if p.Eval("typeof axe") == "undefined" {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[string](p.b.axe+`; ""`))
		p.do("load axe-core", err)
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](findings, chromedp.EvalAwaitPromise))
	p.do("run axe-core", err)
	var found []string
	p.do("read axe-core's answer", json.Unmarshal([]byte(text), &found))
	return found
}

func (p *Page) do(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// quote writes text as JavaScript does.
func quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // of text there is no error
	}
	return string(data)
}
