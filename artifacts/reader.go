package artifacts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// exactReader passes on r's bytes and fails with ErrSize, before the last of
// them has been handed out, unless there are exactly size. So a consumer that
// counts on size bytes never has a complete but wrong object in hand.
//
// An HTTP client may go on reading a request's body after it has returned the
// answer; close keeps it from the caller's reader then.
type exactReader struct {
	ctx  context.Context
	r    io.Reader
	size int64

	mu   sync.Mutex
	read int64
	err  error // sticky; ErrSize, the context's error or the source's
}

func newExactReader(ctx context.Context, r io.Reader, size int64) *exactReader {
	return &exactReader{ctx: ctx, r: r, size: size}
}

func (x *exactReader) Read(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = x.ctx.Err()
	}
	if x.err != nil {
		return 0, x.err
	}
	if x.read == x.size { // also for the empty object, whose surplus nothing else would see
		return 0, x.atEnd()
	}
	n, err := x.r.Read(p[:min(int64(len(p)), x.size-x.read)])
	x.read += int64(n)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		x.err = fmt.Errorf("read the data to be stored: %w", err)
		return 0, x.err
	case err != nil && x.read < x.size:
		x.err = fmt.Errorf("%w: %d bytes instead of %d", ErrSize, x.read, x.size)
		return 0, x.err
	case x.read == x.size:
		if end := x.atEnd(); !errors.Is(end, io.EOF) {
			return 0, end
		}
	}
	return n, nil
}

// close ends the use of r and returns the error that a read met, or nil.
func (x *exactReader) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	err := x.err
	x.err = cmp.Or(x.err, io.ErrClosedPipe)
	return err
}

// atEnd returns io.EOF if r has no more bytes.
func (x *exactReader) atEnd() error {
	var one [1]byte
	for range 100 { // readers may return 0, nil; not forever
		n, err := x.r.Read(one[:])
		if n > 0 {
			x.err = fmt.Errorf("%w: more than %d bytes", ErrSize, x.size)
			return x.err
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				x.err = fmt.Errorf("read the data to be stored: %w", err)
				return x.err
			}
			return io.EOF
		}
	}
	return io.ErrNoProgress
}

// rewinder is an exactReader over a source that can be read again, which lets
// the S3 client repeat a request that failed on the way.
type rewinder struct {
	*exactReader
	seeker io.Seeker
	start  int64
}

// Seek supports only the rewind to the start.
func (w *rewinder) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.New("only a rewind is supported")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if _, err := w.seeker.Seek(w.start, io.SeekStart); err != nil {
		return 0, err
	}
	w.read = 0
	return 0, nil
}
