package queue

import "github.com/redis/go-redis/v9"

// asynq v0.26's layout in Redis, where its own interface does not reach: it
// cannot list thousands of tasks cheaply, nor free one that is active.
// TestLayout compares it with what asynq reports.

func pendingKey(queue string) string   { return "asynq:{" + queue + "}:pending" }   // list
func activeKey(queue string) string    { return "asynq:{" + queue + "}:active" }    // list
func leaseKey(queue string) string     { return "asynq:{" + queue + "}:lease" }     // sorted by expiry
func scheduledKey(queue string) string { return "asynq:{" + queue + "}:scheduled" } // sorted by time
func retryKey(queue string) string     { return "asynq:{" + queue + "}:retry" }     // sorted by time
func archivedKey(queue string) string  { return "asynq:{" + queue + "}:archived" }  // sorted by time
func completedKey(queue string) string { return "asynq:{" + queue + "}:completed" } // sorted by time
func taskKey(queue, job string) string { return "asynq:{" + queue + "}:t:" + job }  // hash
func queueKeys(queue string) []string {
	return []string{pendingKey(queue), activeKey(queue), leaseKey(queue), scheduledKey(queue),
		retryKey(queue), archivedKey(queue), completedKey(queue)}
}

const queuesKey = "asynq:queues" // set of the names of all queues

// Our own keys.

func claimKey(job string) string    { return "orchestrator:claim:" + job }    // the server that runs the job
func progressKey(job string) string { return "orchestrator:progress:" + job } // JSON

const identityKey = "orchestrator:queue" // what the queue is known by

const priorityKey = "orchestrator:priorities" // hash: sweep to priority

// reorder puts the tasks that wait into an order; those that it does not name, which
// came meanwhile, stay behind the others.
//
// KEYS: the list of those that wait. ARGV: jobs, the first to run first.
var reorder = redis.NewScript(`
local waiting, rest = {}, {}
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
	waiting[id] = true
	rest[#rest + 1] = id
end
local named = {}
for _, id in ipairs(ARGV) do named[id] = true end
redis.call("DEL", KEYS[1])
for _, id in ipairs(rest) do
	if not named[id] then redis.call("RPUSH", KEYS[1], id) end
end
for i = #ARGV, 1, -1 do
	if waiting[ARGV[i]] then redis.call("RPUSH", KEYS[1], ARGV[i]) end
end
return 1
`)

// withdraw removes a task from a queue unless a worker has it.
//
// KEYS: the task; then queueKeys. ARGV: the job. Returns 1 where it removed
// something.
var withdraw = redis.NewScript(`
for _, id in ipairs(redis.call("LRANGE", KEYS[3], 0, -1)) do
	if id == ARGV[1] then return 0 end
end
redis.call("LREM", KEYS[2], 0, ARGV[1])
for i = 4, #KEYS do
	redis.call("ZREM", KEYS[i], ARGV[1])
end
return redis.call("DEL", KEYS[1])
`)

// forget removes what is left of a task that is over, or that no list mentions
// (a flush while it ran leaves such), so that it can be enqueued again.
//
// KEYS: the task; then queueKeys. ARGV: the job. Returns 1 where the way is
// free now, 0 where the task is waiting or running.
var forget = redis.NewScript(`
if redis.call("LPOS", KEYS[2], ARGV[1]) or redis.call("LPOS", KEYS[3], ARGV[1]) then return 0 end
if redis.call("ZSCORE", KEYS[5], ARGV[1]) or redis.call("ZSCORE", KEYS[6], ARGV[1]) then return 0 end
for i = 4, #KEYS do
	redis.call("ZREM", KEYS[i], ARGV[1])
end
redis.call("DEL", KEYS[1])
return 1
`)

// release puts an active task back in front of its queue, whether it has a
// lease or not. One whose hash is lost is forgotten: it will be found missing
// and enqueued again.
//
// KEYS: the task; then queueKeys. ARGV: the job. Returns 1 where it did.
var release = redis.NewScript(`
if redis.call("LREM", KEYS[3], 0, ARGV[1]) == 0 then return 0 end
redis.call("ZREM", KEYS[4], ARGV[1])
if redis.call("HEXISTS", KEYS[1], "msg") == 0 then
	redis.call("DEL", KEYS[1])
	return 1
end
redis.call("HSET", KEYS[1], "state", "pending")
redis.call("RPUSH", KEYS[2], ARGV[1])
return 1
`)

// setResult stores what asynqmon shows as the result of a task that is still
// there. asynq's own writer would leave an orphan where it is not.
//
// KEYS: the task. ARGV: the result.
var setResult = redis.NewScript(`
if redis.call("HEXISTS", KEYS[1], "msg") == 0 then return 0 end
return redis.call("HSET", KEYS[1], "result", ARGV[1])
`)

// claim says that a server runs a job, and later that it still does, unless another
// one says so already. It returns that other one, or nothing.
//
// KEYS: the claim. ARGV: the server; how long the claim holds, in milliseconds.
var claim = redis.NewScript(`
local holder = redis.call("GET", KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return ""
`)

// unclaim gives a claim back, unless another server has it by now.
//
// KEYS: the claim. ARGV: the server.
var unclaim = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0
`)

func scriptKeys(queue, job string) []string {
	return append([]string{taskKey(queue, job)}, queueKeys(queue)...)
}
