package browsertest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// problems are what a page did that no page may do.
type problems struct {
	base     string
	mu       sync.Mutex
	found    []string
	expected []string
}

// Expect has the page forgive problems that have a text in them.
func (p *problems) Expect(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, text)
}

func (p *problems) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []string
	for _, problem := range p.found {
		if !p.forgiven(problem) {
			left = append(left, problem)
		}
	}
	return left
}

func (p *problems) forgiven(problem string) bool {
	for _, text := range p.expected {
		if strings.Contains(problem, text) {
			return true
		}
	}
	return false
}

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = append(p.found, fmt.Sprintf(format, args...))
}

// hear notes events of the browser. It is called from the browser's own loop.
func (p *problems) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		p.add("exception: %s", text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			var words []string
			for _, arg := range e.Args {
				words = append(words, arg.Description+string(arg.Value))
			}
			p.add("console: %s", strings.Join(words, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.add("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		url := e.Request.URL
		if !strings.HasPrefix(url, p.base+"/") && !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "blob:") && url != "about:blank" {
			p.add("a request to another host: %s", url)
		}
	}
}
