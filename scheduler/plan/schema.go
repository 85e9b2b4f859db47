package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// document is a whole sweep file.
type document struct {
	Sweep      `yaml:",inline"`
	Config     `yaml:",inline"`
	Parameters Space `yaml:"parameters"`
}

// notYet lists, by dotted path with [] for the items of a list, the keys that
// belong to the language of sweep files but that this version does not run.
// They are refused by name: ignoring them would train something else.
var notYet = map[string]string{}

// sections are the parts of a sweep file that make up a trial's Config: what can
// be searched.
var sections = childKeys(reflect.TypeFor[Config]())

// eachField visits the keys of a struct, those of inlined structs included.
func eachField(t reflect.Type, visit func(key string, f reflect.StructField)) {
	for _, f := range reflect.VisibleFields(t) {
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" || key == "-" || options == "inline" || !f.IsExported() {
			continue
		}
		visit(key, f)
	}
}

// childKeys lists the keys of a struct in order.
func childKeys(t reflect.Type) []string {
	var keys []string
	eachField(t, func(key string, _ reflect.StructField) { keys = append(keys, key) })
	return keys
}

// schema lists the dotted paths of all keys of a sweep file, [] for items of a
// list. It is where hints and the reference get the known keys from.
var schema = schemaOf(reflect.TypeFor[document](), "")

func schemaOf(t reflect.Type, prefix string) []string {
	var paths []string
	eachField(t, func(key string, f reflect.StructField) {
		path := join(prefix, key)
		paths = append(paths, path)
		element := f.Type
		for element.Kind() == reflect.Pointer || element.Kind() == reflect.Slice {
			if element.Kind() == reflect.Slice {
				path += "[]"
			}
			element = element.Elem()
		}
		if element.Kind() == reflect.Struct && !reflect.PointerTo(f.Type).Implements(reflect.TypeFor[nodeDecoder]()) {
			paths = append(paths, schemaOf(element, path)...)
		}
	})
	return paths
}

// unknownKey says what is wrong with a key that a section does not have.
func unknownKey(t reflect.Type, section, key string) (problem, try string) {
	path := generic(join(section, key))
	if reason, ok := notYet[path]; ok {
		problem = "is not supported by this version"
		if reason != "" {
			return problem + ", " + reason, "remove it"
		}
		return problem, "supported here: " + list(childKeys(t))
	}
	problem = "is not a known key"
	siblings := childKeys(t)
	if near := nearest(key, siblings); near != "" {
		return problem, fmt.Sprintf("did you mean %s?", near)
	}
	for _, known := range schema {
		if strings.HasSuffix(known, "."+key) && !strings.Contains(known, "[]") {
			return problem, fmt.Sprintf("did you mean %s?", known)
		}
	}
	return problem, "known here: " + list(siblings)
}

// generic replaces the indices in a path by [].
func generic(path string) string {
	parts := strings.Split(path, ".")
	out := parts[:1]
	for _, part := range parts[1:] {
		if strings.Trim(part, "0123456789") == "" {
			out[len(out)-1] += "[]"
		} else {
			out = append(out, part)
		}
	}
	return strings.Join(out, ".")
}

func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

func list(words []string) string { return strings.Join(words, ", ") }

// nearest finds the word that the user most likely meant, "" where none is close.
func nearest(word string, known []string) string {
	best, distance := "", max(1, len(word)/3)+1
	for _, candidate := range known {
		if d := editDistance(strings.ToLower(word), candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// editDistance is Levenshtein's, with swapped neighbours counted as one edit.
func editDistance(a, b string) int {
	if len(a) > 64 { // far from every key
		return len(a)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// oneOf checks a word against those supported; later lists the words that the
// language has but this version does not run.
func oneOf(word string, supported, later []string) (problem, try string, ok bool) {
	if slices.Contains(supported, word) {
		return "", "", true
	}
	if slices.Contains(later, word) {
		return fmt.Sprintf("%q is not supported by this version", word), "supported: " + list(supported), false
	}
	if near := nearest(word, supported); near != "" {
		return fmt.Sprintf("%q is not known", word), fmt.Sprintf("did you mean %s?", near), false
	}
	return fmt.Sprintf("%q is not known", word), "supported: " + list(supported), false
}
