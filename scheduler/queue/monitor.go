package queue

import (
	"io"
	"net/http"

	"github.com/hibiken/asynqmon"
)

// Monitor is a web page that shows the queues.
type Monitor interface {
	http.Handler
	io.Closer
}

// NewMonitor serves asynqmon under rootPath, such as "/queue"; mount it at
// rootPath + "/". It has no login of its own; readOnly refuses every request
// that would change something.
func NewMonitor(o Options, rootPath string, readOnly bool) (Monitor, error) {
	quiet()
	if _, err := o.tlsConfig(); err != nil {
		return nil, err
	}
	return asynqmon.New(asynqmon.Options{
		RootPath:         rootPath,
		RedisConnOpt:     connOpt{o},
		ReadOnly:         readOnly,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(asText),
		ResultFormatter:  asynqmon.ResultFormatterFunc(asText),
	}), nil
}

// Monitor is NewMonitor for the server that the queue is connected to.
func (q *Queue) Monitor(rootPath string, readOnly bool) (Monitor, error) {
	return NewMonitor(q.options, rootPath, readOnly)
}

// asText shows payloads and results as they are: both are lines of text. The
// default would refuse some.
func asText(_ string, content []byte) string { return string(content) }

// connOpt hands our connection options to asynqmon.
type connOpt struct{ options Options }

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connOpt) MakeRedisClient() any {
	client, err := c.options.client()
	if err != nil {
		panic(err) // NewMonitor has checked the only thing that can fail
	}
	return client
}
