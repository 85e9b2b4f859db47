package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"
)

// quiet keeps go-redis from writing to standard error by itself: what matters
// of it comes back as errors.
var quiet = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// asynqLog brings asynq's messages to ours. Its information is detail for us.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(...any)      {}
func (l asynqLog) Info(args ...any)  { l.log.Debug("queue: " + fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Debug("queue: " + fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Warn("queue: " + fmt.Sprint(args...)) }

// Fatal must end the process by asynq's contract; only a server that cannot
// listen for signals calls it, which ours never does.
func (l asynqLog) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
