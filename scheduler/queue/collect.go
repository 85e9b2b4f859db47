package queue

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynq/x/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// collectTimeout bounds what a scrape may wait for Redis.
const collectTimeout = 3 * time.Second

// Collector counts the tasks of all queues (asynq's own collector) and the living
// workers, whenever it is asked. While Redis is away it says only that.
func (q *Queue) Collector() prometheus.Collector {
	return &collector{queue: q, tasks: metrics.NewQueueMetricsCollector(asynq.NewInspectorFromRedisClient(q.redis))}
}

type collector struct {
	queue *Queue
	tasks prometheus.Collector
}

var (
	upDesc      = prometheus.NewDesc("orchestrator_queue_up", "Whether Redis answers: 1 or 0.", nil, nil)
	workersDesc = prometheus.NewDesc("orchestrator_queue_workers", "Workers that are alive and take jobs, as Redis knows them.", nil, nil)
	slotsDesc   = prometheus.NewDesc("orchestrator_queue_worker_slots", "Slots of those workers.", nil, nil)
)

// Describe names what Collect gives.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	c.tasks.Describe(to)
	to <- upDesc
	to <- workersDesc
	to <- slotsDesc
}

// Collect asks Redis.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	// asynq's collector writes to the standard log where Redis does not answer.
	if err := c.queue.redis.Ping(ctx).Err(); err != nil {
		to <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 0)
		return
	}
	to <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 1)
	workers, err := c.queue.Workers(ctx)
	if err == nil {
		slots := 0
		for _, w := range workers {
			slots += w.Slots
		}
		to <- prometheus.MustNewConstMetric(workersDesc, prometheus.GaugeValue, float64(len(workers)))
		to <- prometheus.MustNewConstMetric(slotsDesc, prometheus.GaugeValue, float64(slots))
	}
	c.tasks.Collect(to)
}
