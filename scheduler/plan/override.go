package plan

import "strings"

// Override is a setting from the command line that replaces the file's.
type Override struct {
	Key   string // dotted path, as "training.epochs"
	Value string // YAML, as "3" or "[256, 256]"
}

// ParseOverride reads "key=value".
func ParseOverride(s string) (Override, error) {
	key, value, ok := strings.Cut(s, "=")
	key = strings.TrimSpace(key)
	if !ok || key == "" {
		return Override{}, &Error{
			File:    "--set " + s,
			Problem: "is not of the form key=value",
			Try:     "write a dotted path and its value, as in --set training.epochs=3",
		}
	}
	return Override{Key: key, Value: value}, nil
}

// String is the override as it is given on the command line.
func (o Override) String() string { return o.Key + "=" + o.Value }

// Overridden tells whether the field's value came from an override. Paths from
// overrides are relative to the working directory; paths in the file are
// relative to the file.
func (s *Sweep) Overridden(field string) bool {
	for _, o := range s.Overrides {
		if o.Key == field || strings.HasPrefix(field, o.Key+".") {
			return true
		}
	}
	return false
}
