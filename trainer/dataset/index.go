package dataset

import "fmt"

// Index lists the pictures of a data set and what was left out of it.
type Index struct {
	Root    string    `json:"-"` // folder that files are relative to
	Classes []string  `json:"classes"`
	Samples []Sample  `json:"samples"`
	LeftOut []LeftOut `json:"left_out,omitempty"`
	Notes   []string  `json:"notes,omitempty"` // what Scan decided by itself
}

// Sample is one picture.
type Sample struct {
	File   string `json:"file"` // relative to the root, with slashes
	Label  int    `json:"label"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"` // bytes
	Width  int    `json:"width"`
	Height int    `json:"height"` // both as stored, before the orientation is applied
	Format string `json:"format"` // jpeg | png | gif | webp | bmp | tiff
	// UsedBits is how many bits the samples use of 16; 0: the picture has 8.
	UsedBits int `json:"-"`
}

// LeftOut is a file that was found but is not used.
type LeftOut struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// BadPicture is a picture that cannot be read.
type BadPicture struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // of a list
	Reason string `json:"reason"`
}

// Error is a data set that cannot be used as it is.
type Error struct {
	File    string // the picture, list or folder
	Line    int    // of a list; 0 otherwise
	Problem string
	Bad     []BadPicture // all pictures that cannot be read, where that is the problem
	hint    string
}

func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Problem
	case e.Line > 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return e.File + ": " + e.Problem
}

// Hint says what to try.
func (e *Error) Hint() string { return e.hint }

// ExitCode marks the error as bad input.
func (e *Error) ExitCode() int { return 2 }
