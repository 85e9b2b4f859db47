package plan

import "fmt"

// The keys of every object in the artifact store. artifacts/FORMAT.md says what
// each one holds.

// PackKey is where the data set with that digest is.
func PackKey(digest string) string { return "packs/" + digest + ".tar" }

// BaseKey is where the base model with that digest is.
func BaseKey(digest string) string { return "models/" + digest + ".onnx" }

// SweepPrefix is above all objects of a sweep.
func SweepPrefix(sweep string) string { return "sweeps/" + sweep + "/" }

// PlanKey holds the Plan of a sweep.
func PlanKey(sweep string) string { return SweepPrefix(sweep) + "plan.json" }

// CancelKey is the durable mark of a canceled sweep.
func CancelKey(sweep string) string { return SweepPrefix(sweep) + "cancel.json" }

// TrialPrefix is above the Trials that a search added to a sweep.
func TrialPrefix(sweep string) string { return SweepPrefix(sweep) + "trials/" }

// TrialKey holds a Trial that a search added: created once.
func TrialKey(sweep string, trial int) string {
	return fmt.Sprintf("%s%06d.json", TrialPrefix(sweep), trial)
}

// ExhaustedKey is the mark that a search has nothing left to try: created once.
func ExhaustedKey(sweep string) string { return SweepPrefix(sweep) + "exhausted.json" }

// StopKey holds the Stop of a trial: created once.
func StopKey(sweep string, trial int) string {
	return fmt.Sprintf("%sstops/%06d.json", SweepPrefix(sweep), trial)
}

// StopPrefix is above the Stops of a sweep.
func StopPrefix(sweep string) string { return SweepPrefix(sweep) + "stops/" }

// DigestPrefix is above the digests of a sweep.
func DigestPrefix(sweep string) string { return SweepPrefix(sweep) + "digests/" }

// DigestKey holds a Digest of a sweep: created once, after its histories.
func DigestKey(sweep string, number int) string {
	return fmt.Sprintf("%s%06d.json", DigestPrefix(sweep), number)
}

// HistoriesKey holds the Histories of a Digest: created once.
func HistoriesKey(sweep string, number int) string {
	return fmt.Sprintf("%s%06d-histories.json", DigestPrefix(sweep), number)
}

// PauseKey is the durable mark of a paused sweep.
func PauseKey(sweep string) string { return SweepPrefix(sweep) + "pause.json" }

// SettingsKey holds the Settings of a sweep that were changed after its submission.
func SettingsKey(sweep string) string { return SweepPrefix(sweep) + "settings.json" }

// JobPrefix is above all objects of a job.
func JobPrefix(job string) string { return "jobs/" + job + "/" }

// SpecKey holds the Spec of a job.
func SpecKey(job string) string { return JobPrefix(job) + "spec.json" }

// OutcomeKey holds the Outcome of a job: created once, never changed.
func OutcomeKey(job string) string { return JobPrefix(job) + "outcome.json" }

// FailureKey holds the Failure of a job that was given up.
func FailureKey(job string) string { return JobPrefix(job) + "failure.json" }

// AttemptPrefix is above the Attempts of a job and their logs.
func AttemptPrefix(job string) string { return JobPrefix(job) + "attempts/" }

// AttemptKey holds one Attempt of a job.
func AttemptKey(job string, number int) string {
	return fmt.Sprintf("%s%06d.json", AttemptPrefix(job), number)
}

// AttemptLogKey holds what was said about an attempt while it ran: text.
func AttemptLogKey(job string, number int) string {
	return fmt.Sprintf("%s%06d.log", AttemptPrefix(job), number)
}

// ModelKey holds the trained network of a job.
func ModelKey(job string) string { return JobPrefix(job) + "model.onnx" }

// PredictionsKey holds the out-of-fold predictions of a job, a CSV.
func PredictionsKey(job string) string { return JobPrefix(job) + "predictions.csv" }

// CheckpointPrefix is above the checkpoints of a job.
func CheckpointPrefix(job string) string { return JobPrefix(job) + "checkpoints/" }

// CollectionPrefix is above the marks of processes that remove what nobody needs.
const CollectionPrefix = "gc/"

// LastCollectionKey is replaced at the end of each such removal.
const LastCollectionKey = CollectionPrefix + "last.json"

// FeaturesPrefix is above all passes of features; package features has the keys below
// a pass.
const FeaturesPrefix = "features/"

// FeatureUsePrefix is above the marks of the jobs that have used a pass of features.
func FeatureUsePrefix(pass string) string { return FeaturesPrefix + pass + "/uses/" }

// FeatureUseKey is the mark that a job has used a pass of features: created once.
func FeatureUseKey(pass, job string) string { return FeatureUsePrefix(pass) + job + ".json" }

// NotifySinceKey is the mark of when notifications were first set up for a store:
// created once.
const NotifySinceKey = "notifications/since.json"

// NoticePrefix is above what is known of sending one event of a sweep.
func NoticePrefix(sweep, event string) string {
	return SweepPrefix(sweep) + "notices/" + event + "/"
}

// NoticeKey is the mark of an attempt to send an event: whoever creates it sends.
func NoticeKey(sweep, event string, number int) string {
	return fmt.Sprintf("%s%06d.json", NoticePrefix(sweep, event), number)
}

// NoticeSentKey is the mark of an event that was delivered.
func NoticeSentKey(sweep, event string) string { return NoticePrefix(sweep, event) + "sent.json" }

// QueuePrefix is above the marks of queues that work on a store.
const QueuePrefix = "queues/"

// QueueKey is the mark that a queue works on a store: replaced every few seconds.
func QueueKey(id string) string { return QueuePrefix + id + ".json" }
