// Package features computes what chosen layers of a network answer to every
// picture of a data set, once, and gives random access to it by picture: to the
// training of a network whose lower part is frozen, and to probes of layers.
//
//	Spec ──Open──► the machine's cache? ──no──► the store? ──no──► one pass over the pictures
//	                     │                          │                        │
//	                     ▼                          ▼                        ▼
//	               Set, mapped  ◄──────────── fetched, verified ◄──── stored, chunk by chunk
//
// # The same bits, whoever computes them
//
// The graph has a fixed number of rows, and every run of it has that many: the
// last one is padded. So what a picture's features are depends on no fold, batch
// size or trial. All that they do depend on is in the key of the pass
// (Spec.Key), the list of its values included: the runtime may fuse a layer
// with the next one just where nobody asks for what is between them.
//
// Features in the store are never replaced. Of two hosts that compute the same
// chunk at the same time the second one takes what the first has stored, even if
// its own processor rounds differently.
//
// # Memory and interruption
//
// A pass holds the activations of a few pictures; what it computes goes to a
// file of the cache, whatever its size, which is mapped for reading. Each chunk of
// pictures counts as stored once its record is, so a pass that was killed goes on
// behind the last chunk it stored.
package features
