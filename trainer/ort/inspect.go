package ort

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// inspectFile tells whether the file can be a library for this machine. The
// dynamic linker would say it less clearly, and crashes the process on a file
// that was cut short (half a download), because it maps what is not there.
func inspectFile(path string) error {
	if filepath.Base(path) == path {
		if _, err := os.Stat(path); err != nil {
			return nil // a name for the dynamic linker
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return &LibraryError{Path: path, Reason: statReason(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return &LibraryError{Path: path, Reason: err.Error()}
	}
	if info.IsDir() {
		return &LibraryError{Path: path, Reason: "is a folder"}
	}
	if reason := inspectObject(f, info.Size()); reason != "" {
		return &LibraryError{Path: path, Reason: reason}
	}
	return nil
}

// inspectObject says what is wrong with an object file; "" where nothing is.
func inspectObject(r io.ReaderAt, size int64) string {
	if runtime.GOOS != "linux" {
		return ""
	}
	magic := make([]byte, 4)
	if n, _ := r.ReadAt(magic, 0); n < len(magic) || !bytes.Equal(magic, []byte(elf.ELFMAG)) {
		return fmt.Sprintf("is not a shared library (%d bytes that do not begin like one)", size)
	}
	obj, err := elf.NewFile(r)
	if err != nil {
		// The section table lies at the end of the file: a cut file fails here.
		return "is damaged or was cut short: " + err.Error()
	}
	if want := machine(); want != elf.EM_NONE && obj.Machine != want {
		return fmt.Sprintf("is built for %v, but this machine is %v", obj.Machine, want)
	}
	if obj.Type != elf.ET_DYN {
		return "is not a shared library, but another kind of ELF file"
	}
	for _, p := range obj.Progs {
		if p.Type == elf.PT_LOAD && p.Off+p.Filesz > uint64(size) {
			return fmt.Sprintf("was cut short: it has %d bytes of at least %d", size, p.Off+p.Filesz)
		}
	}
	return ""
}

func machine() elf.Machine {
	switch runtime.GOARCH {
	case "amd64":
		return elf.EM_X86_64
	case "arm64":
		return elf.EM_AARCH64
	}
	return elf.EM_NONE
}
