package caffe

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func npy(version byte, kind string, shape string, values ...float64) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kind, shape)
	out := append(slices.Clone(npyMagic), version, 0)
	if version == 1 {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	} else {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	}
	out = append(out, header...)
	for _, v := range values {
		if kind == "<f4" {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v)))
		} else {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
	}
	return out
}

func TestMean(t *testing.T) {
	picture := []float64{100, 104, 110, 120, 130, 140}
	var narrow []float32
	for _, v := range picture {
		narrow = append(narrow, float32(v))
	}
	want := []float64{102, 115, 135}
	for name, data := range map[string][]byte{
		"binaryproto":     blobBytes(packed, narrow, 1, 3, 1, 2),
		"old binaryproto": blobBytes(unpacked, narrow, 3, 1, 2),
		"npy":             npy(1, "<f4", "3, 1, 2", picture...),
		"npy of float64":  npy(2, "<f8", "3, 1, 2", picture...),
		"a pixel":         npy(1, "<f8", "3,", want...),
	} {
		if got, err := Mean(data); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", name, got, err, want)
		}
	}
}

func TestBadMeans(t *testing.T) {
	for want, data := range map[string][]byte{
		"the mean file":                  []byte("hello"),
		"0 values for the shape":         nil,
		"is not channels":                npy(1, "<f4", "2, 1, 1", 1, 2),
		"pixels are from 0 to 255":       npy(1, "<f4", "1,", -3),
		"1 values for the shape [3 1 2]": npy(1, "<f4", "3, 1, 2", 1),
		"not of float32 or float64":      npy(1, "<i4", "1,", 1),
		"header is cut off":              append(slices.Clone(npyMagic), 2, 0, 255, 255, 255, 255, 0),
		"2 values for the shape [0 2]":   npy(1, "<f4", "0, 2", 1, 2),
		"values for the shape [99999999": npy(1, "<f4", "99999999, 99999999, 99999999", 1),
	} {
		if _, err := Mean(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", want, err)
		}
	}
}

func FuzzMean(f *testing.F) {
	f.Add(blobBytes(packed, []float32{1, 2, 3}, 3))
	f.Add(npy(1, "<f8", "3,", 1, 2, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		if mean, err := Mean(data); err == nil && len(mean) != 1 && len(mean) != 3 {
			t.Errorf("%d channels", len(mean))
		}
	})
}
