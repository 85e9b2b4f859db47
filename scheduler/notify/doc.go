// Package notify tells a webhook what becomes of sweeps: that one is completed,
// failed, canceled or paused, and that a job has failed.
//
// # Who sends
//
// Any process that works on the store and has been told of the webhook looks for
// what happened, beside its scheduling and never in its way. What happened is read
// off the store, so that nothing is missed while all processes are down, and the
// name of an event is a hash of what it is: every process finds the same ones.
//
// To send an event is an attempt, and an attempt is an object of the store that
// exactly one process can create. An event that was delivered gets another object,
// and is done. One that was not is due again some time after its last attempt,
// longer each time: whether the endpoint did not answer or the sender was killed
// makes no difference. So an event arrives at least once, and twice only where a
// sender was killed between the delivery and the object that says so.
//
// # What is sent
//
// A POST of a Payload as JSON, with the headers of Standard Webhooks
// (standardwebhooks.com): webhook-id, the same in each attempt; webhook-timestamp;
// and, where there is a key, webhook-signature, "v1," and the base64 of the
// HMAC-SHA256 of id.timestamp.body. Redirects are not followed: what is signed is
// for the configured endpoint alone. Any status from 200 to 299 means delivered.
//
// The address is a secret, as chat services put a password into it: it is in no
// object and in no message. It comes from the settings of whoever runs the
// processes and not from sweep files, so it may well be in a private network.
package notify
