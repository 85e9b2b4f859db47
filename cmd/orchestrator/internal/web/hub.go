package web

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// event is what is sent to a client that listens.
type event struct {
	name string
	data []byte
}

// hub keeps one watcher for each thing that somebody listens to, however many do, and
// none for what nobody listens to.
type hub struct {
	every time.Duration
	after func(time.Duration) <-chan time.Time // time.After; tests have a clock of their own
	now   func() time.Time

	mu      sync.Mutex
	topics  map[string]*topic
	clients int
	closed  bool
	running sync.WaitGroup
}

// view is what a topic looks at.
type view interface {
	// look finds out what is now, and what of it has changed since it looked last.
	// over: there is nothing left to look at.
	look(context.Context) (over bool, err error)
	// hello is the first event of somebody who has just come; since then is after.
	hello() any
	// news are what changed with the last look; nil: nothing.
	news() any
	// recent are what changed in the last while, for somebody who fetched before they
	// listened; nil: nothing.
	recent() any
	name() string // of the events
}

// topic is something that clients listen to.
type topic struct {
	key     string
	view    view
	clients map[*client]bool
	nudge   chan struct{} // somebody has come
	cancel  context.CancelFunc
}

// client is somebody who listens. Their channel is closed when they are dropped, or
// when there is nothing more to come.
type client struct {
	events chan event
	new    bool
}

const (
	queuedEvents = 16   // of a client; one who lets more pile up is dropped
	mostClients  = 1000 // of all topics
	// lookShare is how many times as long as a look took is waited until the next, at
	// least: whoever watches a huge sweep takes a quarter of a processor at most.
	lookShare = 3
)

func newHub(every time.Duration, now func() time.Time) *hub {
	return &hub{every: every, after: time.After, now: now, topics: map[string]*topic{}}
}

// join has a client listen to a topic, of which make is the view if nobody does yet;
// nil where there are too many. Whoever joins leaves.
func (h *hub) join(key string, make func() view) *client {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.clients >= mostClients {
		return nil
	}
	t := h.topics[key]
	if t == nil {
		ctx, cancel := context.WithCancel(context.Background())
		t = &topic{key: key, view: make(), clients: map[*client]bool{}, nudge: newNudge(), cancel: cancel}
		h.topics[key] = t
		h.running.Add(1)
		go h.watch(ctx, t)
	}
	c := &client{events: newQueue(), new: true}
	t.clients[c] = true
	h.clients++
	select {
	case t.nudge <- struct{}{}:
	default:
	}
	return c
}

func newNudge() chan struct{} { return make(chan struct{}, 1) }
func newQueue() chan event    { return make(chan event, queuedEvents) }

// leave ends a client's listening, and the topic's watcher after the last.
func (h *hub) leave(key string, c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[key]; t != nil && t.clients[c] {
		h.drop(t, c)
		if len(t.clients) == 0 {
			h.end(t)
		}
	}
}

func (h *hub) drop(t *topic, c *client) {
	delete(t.clients, c)
	h.clients--
	close(c.events)
}

func (h *hub) end(t *topic) {
	for c := range t.clients {
		h.drop(t, c)
	}
	t.cancel()
	delete(h.topics, t.key)
}

// close ends all listening and waits for the watchers.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	for _, t := range h.topics {
		h.end(t)
	}
	h.mu.Unlock()
	h.running.Wait()
}

// watch looks again and again until nobody listens.
func (h *hub) watch(ctx context.Context, t *topic) {
	defer h.running.Done()
	for {
		began := h.now()
		over, err := t.view.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if over {
			h.tell(t, event{"gone", []byte("{}")})
			return
		}
		if err == nil { // else the next look may succeed
			h.spread(t)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.nudge:
		case <-h.after(max(h.every, lookShare*h.now().Sub(began))):
		}
	}
}

// spread sends everybody what they do not know.
func (h *hub) spread(t *topic) {
	news := encode(t.view.name(), t.view.news())
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range t.clients {
		switch {
		case c.new:
			c.new = false
			h.send(t, c, encode(t.view.name(), t.view.hello()))
			h.send(t, c, encode(t.view.name(), t.view.recent()))
		default:
			h.send(t, c, news)
		}
	}
	if len(t.clients) == 0 {
		h.end(t)
	}
}

// tell sends everybody a last event.
func (h *hub) tell(t *topic, last event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range t.clients {
		h.send(t, c, &last)
	}
	if h.topics[t.key] == t {
		h.end(t)
	}
}

// send queues an event; a client whose queue is full is dropped: its browser comes
// back and fetches what it has missed.
func (h *hub) send(t *topic, c *client, e *event) {
	if e == nil || !t.clients[c] {
		return
	}
	select {
	case c.events <- *e:
	default:
		h.drop(t, c)
	}
}

func encode(name string, v any) *event {
	if v == nil {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types, all of which encode
	}
	return &event{name, data}
}
