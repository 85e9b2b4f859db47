package main

import (
	"fmt"
	"sync"
	"time"
)

// busyEvery is how often long work says how far it is; tests have no such patience.
var busyEvery = 10 * time.Second

// busy says on standard error every few seconds what takes so long, until the function
// that it returns is called.
func (a *app) busy(what func() string) (done func()) {
	began, tick, stop := time.Now(), time.NewTicker(busyEvery), make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(a.err, "%s, for %v\n", what(), time.Since(began).Round(time.Second))
			case <-stop:
				return
			}
		}
	})
	return func() { close(stop); told.Wait() }
}
