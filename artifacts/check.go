package artifacts

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Check tries all that the system asks of a store, on an object of its own
// which it removes again. It finds missing rights, and servers that answer to a
// conditional put without minding the condition.
func Check(ctx context.Context, s Store) (err error) {
	key := "probes/" + strings.ToLower(rand.Text())
	defer func() {
		removed := s.Delete(context.WithoutCancel(ctx), key)
		if err == nil {
			err = removed
		}
	}()
	first, second := []byte("first"), []byte("the second")
	if err := s.Create(ctx, key, bytes.NewReader(first), int64(len(first))); err != nil {
		return err
	}
	err = s.Create(ctx, key, bytes.NewReader(second), int64(len(second)))
	if err == nil {
		return &Error{Op: "check", Key: key, Store: s.String(), Err: errUnconditional}
	}
	if !errors.Is(err, ErrExists) {
		return err
	}
	if err := expect(ctx, s, key, first); err != nil {
		return err
	}
	if err := s.Put(ctx, key, bytes.NewReader(second), int64(len(second))); err != nil {
		return err
	}
	if err := expect(ctx, s, key, second); err != nil {
		return err
	}
	return expectListed(ctx, s, key)
}

var errUnconditional = errors.New("the store overwrote an object that was to be created only if missing" +
	" (it ignores If-None-Match), so it cannot record each outcome exactly once")

func expect(ctx context.Context, s Store, key string, want []byte) error {
	r, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		err := fmt.Errorf("wrote %q and read %.64q", want, got)
		return &Error{Op: "check", Key: key, Store: s.String(), Err: err}
	}
	return nil
}

func expectListed(ctx context.Context, s Store, key string) error {
	for info, err := range s.List(ctx, key) {
		if err != nil {
			return err
		}
		if info.Key == key {
			return nil
		}
	}
	return &Error{Op: "check", Key: key, Store: s.String(), Err: errors.New("the object is there but not listed")}
}
