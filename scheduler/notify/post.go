package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// mostAnswer bounds what is read of an answer.
const mostAnswer = 64 << 10

// post sends a payload and returns the status of a delivery. Its errors do not name
// the address.
func (n *Notifier) post(ctx context.Context, id string, now time.Time, p Payload) (int, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.o.URL, bytes.NewReader(body))
	if err != nil {
		return 0, bare(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "orchestrator")
	r.Header.Set(standardwebhooks.HeaderWebhookID, id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if n.signer != nil {
		signature, err := n.signer.Sign(id, now, body)
		if err != nil {
			return 0, err
		}
		r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}
	answer, err := n.client.Do(r)
	if err != nil {
		return 0, bare(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, mostAnswer)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return 0, fmt.Errorf("the webhook answered %s", answer.Status)
	}
	return answer.StatusCode, nil
}

// bare is an error of net/http without the address that it quotes.
func bare(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return fmt.Errorf("the webhook cannot be reached: %w", quoting.Err)
	}
	return err
}
