package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// keyspace is what belongs to us in a Redis that others use too: asynq's keys, our
// own, and the channel by which asynq cancels tasks.
const keyspace = "~asynq:* ~orchestrator:* &asynq:cancel"

// rights are all that the queue, both its ends, asks of a Redis, as calls on the
// keys in question. TestLeastRights runs with just these.
var rights = func() []string {
	var calls []string
	for _, key := range []string{pendingKey("any"), claimKey("any")} {
		for _, call := range []string{"DEL %s", "EXISTS %s", "EXPIRE %s 1", "GET %s", "HSET %s a b", "HGETALL %s", "SET %s a"} {
			calls = append(calls, fmt.Sprintf(call, key))
		}
	}
	for _, call := range []string{
		"EXPIREAT %s 1", "HDEL %s a", "HEXISTS %s a", "HGET %s a", "HMGET %s a", "HVALS %s", "INCR %s", "LLEN %s", "LPOS %s a", "LPUSH %s a",
		"LRANGE %s 0 1", "LREM %s 0 a", "RPOPLPUSH %[1]s %[1]s", "RPUSH %s a", "SADD %s a", "SETEX %s 1 a", "SISMEMBER %s a", "SMEMBERS %s",
		"SREM %s a", "ZADD %s 1 a", "ZCARD %s", "ZRANGE %s 0 1", "ZRANGEBYSCORE %s 0 1", "ZREM %s a", "ZREMRANGEBYRANK %s 0 1",
		"ZREMRANGEBYSCORE %s 0 1", "ZREVRANGE %s 0 1", "ZSCORE %s a", "MEMORY|USAGE %s",
	} {
		calls = append(calls, fmt.Sprintf(call, pendingKey("any")))
	}
	return append(calls, "SUBSCRIBE asynq:cancel", "PUBLISH asynq:cancel a", "EVAL a 0", "EVALSHA a 0", "MULTI", "EXEC", "PING", "HELLO", "INFO")
}()

// clusterRights are what clients of a cluster need besides.
var clusterRights = []string{"COMMAND", "CLUSTER|SLOTS", "CLUSTER|SHARDS", "CLUSTER|INFO", "CLUSTER|NODES", "CLUSTER|KEYSLOT any", "ASKING"}

// aclRules grant a user the least that suffices.
func aclRules(cluster bool) string {
	calls := rights
	if cluster {
		calls = slices.Concat(rights, clusterRights)
	}
	var words []string
	for _, call := range calls {
		command, _, _ := strings.Cut(call, " ")
		words = append(words, "+"+strings.ToLower(command))
	}
	slices.Sort(words)
	return keyspace + " " + strings.Join(slices.Compact(words), " ")
}

// lacking returns the first of the calls that the user may not make.
//
// ARGV: calls, their words divided by blanks. Before Redis 7 a script cannot ask.
var lacking = redis.NewScript(`
if not redis.acl_check_cmd then return "" end
for _, call in ipairs(ARGV) do
	local words = {}
	for word in string.gmatch(call, "[^%s|]+") do words[#words + 1] = word end
	local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
	if known and not allowed then return call end
end
return ""
`)

// checkRights says what an access control list forbids before a sweep runs into
// it.
func (q *Queue) checkRights(ctx context.Context) error {
	calls := make([]any, len(rights))
	for i, right := range rights {
		calls[i] = right
	}
	return q.options.explain(q.eachMaster(ctx, func(node redis.Cmdable) error {
		call, err := lacking.Run(ctx, node, nil, calls...).Text()
		if err == nil && call != "" {
			err = fmt.Errorf("NOPERM this user has no permission for %s", strings.ReplaceAll(call, "|", " "))
		}
		return err
	}))
}
