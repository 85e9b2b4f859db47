package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

// TestSecretsStaySecret trains a sweep with passwords for everything, the log at its
// most talkative, and looks for them wherever they might have got to.
func TestSecretsStaySecret(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	const user, password, hookPath, hookKey = "somebody", "redis+pass/word", "hook-path-secret", "whsec_c29tZSBzaWduaW5nIGtleQ=="
	told := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/"+hookPath || r.Header.Get("webhook-signature") == "" {
			t.Errorf("the webhook got %s %s: %v", r.URL, r.Header, err)
		}
		told <- string(body)
	}))
	defer hook.Close()
	redis := queuetest.StartRedis(t, "--user", "default", "off", "--user", user, "on", ">"+password, "~*", "&*", "+@all")
	minio := sharedMinIO(t)
	w := newWorkspace(t,
		"ORCHESTRATOR_REDIS=redis://"+user+":"+url.QueryEscape(password)+"@"+redis.Options().Addr,
		"ORCHESTRATOR_STORE=s3://"+bucketOf(t), "ORCHESTRATOR_S3_ENDPOINT="+minio.Endpoint,
		"ORCHESTRATOR_S3_ACCESS_KEY="+minio.AccessKey, "ORCHESTRATOR_S3_SECRET_KEY="+minio.SecretKey,
		"ORCHESTRATOR_NOTIFY_WEBHOOK="+hook.URL+"/"+hookPath, "ORCHESTRATOR_NOTIFY_SECRET="+hookKey,
		"ORCHESTRATOR_LOG_LEVEL=debug",
	)
	h := &secretHunt{t: t, secrets: []string{password, minio.SecretKey, hookPath, hookKey}}
	file := w.tiny()
	daemon := w.start("worker", "--slots", "1", "--reconcile-every", "1s")
	h.look("submit", w.run("submit", file))
	w.whileTraining()
	pid := daemon.cmd.Process.Pid
	trainers := children(t, pid)
	if len(trainers) == 0 {
		t.Error("no trainer process is there to look at")
	}
	h.lookAt(fmt.Sprintf("/proc/%d/cmdline", pid))
	for _, child := range trainers {
		h.lookAt(fmt.Sprintf("/proc/%d/cmdline", child))
		h.lookAt(fmt.Sprintf("/proc/%d/environ", child))
	}
	h.look("status", w.run("status", "latest", "--output", "json"))
	w.finish(2 * time.Minute)
	// A job that fails is told of in more places.
	out, errOut, _ := w.try("submit", file, "--watch", "--set", "name=broken", "--set", "preprocessing.scale=1e30", "--set", "parameters={}")
	h.look("a failure", out+errOut)
	events := map[string]bool{}
	for !events["sweep.completed"] || !events["sweep.failed"] || !events["job.failed"] {
		select {
		case body := <-told:
			h.look("a notification", body)
			for _, kind := range []string{"sweep.completed", "sweep.failed", "job.failed"} {
				events[kind] = events[kind] || strings.Contains(body, `"type":"`+kind+`"`)
			}
		case <-time.After(testenv.Patience * 30 * time.Second):
			t.Fatalf("the webhook was told of %v", events)
		}
	}
	for _, args := range [][]string{{"doctor"}, {"list"}, {"results"}, {"results", "--output", "json"}, {"logs"}, {"version"}, {"plan", file}, {"report"}} {
		out, errOut, _ := w.try(args...)
		h.look(strings.Join(args, " "), out+errOut)
	}
	monitor := (&cluster{w, redis}).monitor()
	for _, page := range []string{"queues", "queues/any/completed_tasks", "queues/any/archived_tasks", "servers", "redis_info"} {
		h.look("monitor "+page, get(t, monitor+"api/"+page))
	}
	for _, wrong := range []string{"ORCHESTRATOR_REDIS_AUTH_PASSWORD=wrong", "ORCHESTRATOR_REDIS=redis://:" + password + "@h", "ORCHESTRATOR_S3_ACCESS_KEY=nobody",
		"ORCHESTRATOR_S3_ENDPOINT=" + minio.Endpoint + "0", "ORCHESTRATOR_STORE=s3://Not_A_Bucket",
		"ORCHESTRATOR_NOTIFY_WEBHOOK=nowhere/" + hookPath} {
		other := *w
		other.env = append(append([]string{}, w.env...), wrong)
		for _, args := range [][]string{{"doctor"}, {"submit", file}, {"worker"}} {
			out, errOut, code := other.try(args...)
			if code == 0 && args[0] != "doctor" { // which looks at no webhook
				t.Errorf("%s succeeds with %s", args, wrong)
			}
			h.look(wrong+": "+strings.Join(args, " "), out+errOut)
		}
	}
	daemon.signal(os.Interrupt)
	daemon.wait(time.Minute)
	h.look("the worker's log", daemon.log.String())
	if !strings.Contains(daemon.log.String(), "level=DEBUG") {
		t.Error("the worker's log is not at its most talkative")
	}
	h.look("Redis", string(redis.Written()))
	h.lookInto(minio.Options(bucketOf(t)))
}

// secretHunt looks for secrets in what it is shown.
type secretHunt struct {
	t       *testing.T
	secrets []string
}

func (h *secretHunt) look(where, text string) {
	h.t.Helper()
	if text == "" {
		h.t.Errorf("%s: there is nothing to look at", where)
	}
	for _, secret := range h.secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			if at := strings.Index(text, form); at >= 0 {
				h.t.Errorf("%s holds a secret: ...%q...", where, text[max(0, at-100):min(len(text), at+len(form)+20)])
			}
		}
	}
}

func (h *secretHunt) lookAt(file string) {
	h.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		h.t.Error(err)
		return
	}
	h.look(file, string(text))
}

// lookInto looks at every object of a store, and at its name.
func (h *secretHunt) lookInto(o artifacts.S3Options) {
	h.t.Helper()
	ctx := h.t.Context()
	store, err := artifacts.Open(ctx, "s3://"+o.Bucket, o)
	if err != nil {
		h.t.Fatal(err)
	}
	found := 0
	for info, err := range store.List(ctx, "") {
		if err != nil {
			h.t.Fatal(err)
		}
		r, _, err := store.Get(ctx, info.Key)
		if err != nil {
			h.t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			h.t.Fatal(err)
		}
		h.look(info.Key, info.Key+"\n"+string(data))
		found++
	}
	if found < 10 {
		h.t.Errorf("only %d objects are in the store", found)
	}
}
