// Package providers tries what an execution provider of the ONNX Runtime library
// can do on this machine: whether it opens, whether a small network trains on it,
// and whether it then learns as it does on the CPU.
//
// A provider that is not well can take its process down, keeps much of a device's
// memory until that process ends, and sees the devices that the environment shows
// it. So each is tried in a process of its own: Ask starts one, which ends up in
// Serve and answers on its standard output.
package providers
