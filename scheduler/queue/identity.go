package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Identity is the ID of the queue, the same for all that are connected to it. A Redis
// that has lost it is given the one that was known.
func (q *Queue) Identity(ctx context.Context) (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.identity == "" {
		q.identity = strings.ToLower(rand.Text())
	}
	err := q.redis.SetArgs(ctx, identityKey, q.identity, redis.SetArgs{Mode: "NX"}).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", q.options.explain(err)
	}
	id, err := q.redis.Get(ctx, identityKey).Result()
	if err != nil {
		return "", q.options.explain(err)
	}
	q.identity = id
	return id, nil
}
