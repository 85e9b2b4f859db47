package artifacts

import (
	"fmt"
	"strings"
)

const maxKey = 512

// checkKey enforces the rules for keys that Store states. They keep every key
// a plain relative path in a folder and a plain name in a bucket, so that no
// implementation has to escape anything.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w: %d bytes long, must be 1 to %d", ErrInvalidKey, len(key), maxKey)
	}
	for part := range strings.SplitSeq(key, "/") {
		if !validPart(part) {
			return fmt.Errorf("%w: %.64q", ErrInvalidKey, key)
		}
	}
	return nil
}

// checkPrefix accepts what some valid key begins with, and "".
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	// Whatever follows the last slash need not be a whole part yet: "a/." may
	// begin "a/.b".
	return checkKey(prefix + "x")
}

func validPart(part string) bool {
	if part == "" || part == "." || part == ".." {
		return false
	}
	for i := range len(part) {
		c := part[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '.' || c == '_' || c == '-'
		if !ok {
			return false
		}
	}
	return true
}
