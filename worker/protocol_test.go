package worker

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"
)

// However the bytes are cut into writes, the lines come out whole.
func TestLineWriterIsBlindToPieces(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	check := func(text string) bool {
		text = strings.ReplaceAll(text, "a", "\n")
		var got []string
		w := &lineWriter{line: func(line []byte) { got = append(got, string(line)) }}
		for rest := []byte(text); len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				return false
			}
			rest = rest[n:]
		}
		w.flush()
		want := strings.Split(text, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		return strings.Join(got, "\n") == strings.Join(want, "\n") && len(got) == len(want)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
}

func TestLineWithoutEndIsBounded(t *testing.T) {
	w := &lineWriter{line: func([]byte) { t.Error("there is no line") }}
	piece := bytes.Repeat([]byte("x"), 1<<20)
	var err error
	for range maxLine>>20 + 1 {
		if _, err = w.Write(piece); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("the memory for a line is not bounded")
	}
}
