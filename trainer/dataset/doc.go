// Package dataset brings pictures from where users keep them to mini-batches.
//
//	folder or list ──Scan──► Index ──WritePack──► one tar, named by its SHA-256
//	                                                   │ OpenPack, on any host
//	                                                   ▼
//	                                  OpenPixels: decoded, upright, resized once
//	                                  into a memory-mapped file, then copied out
//	                                  crop by crop
//
// Everything is deterministic: the order of samples, the bytes of a pack, the
// pixels. An Index says what Scan left out and why; a pack holds only what is
// used, so that its digest depends on nothing else.
package dataset
