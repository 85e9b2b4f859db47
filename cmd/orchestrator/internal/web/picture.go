package web

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/dataset"
)

const (
	keptPacks      = 4   // open at a time; each holds its index in memory
	keptThumbnails = 512 // each a few tens of kilobytes at most
	decodesAtOnce  = 2   // each takes the memory of a whole picture
	largestPicture = 64_000_000
)

// pictures are thumbnails out of data sets. A data set is fetched and indexed once;
// of its pictures only the one that is asked for is read.
type pictures struct {
	store artifacts.Store
	dir   string

	mu      sync.Mutex
	packs   *lru.Cache[string, *dataset.Pack] // what is dropped is closed when nobody reads it any more, by the file itself
	small   *lru.Cache[string, []byte]
	decodes chan struct{}
}

func newPictures(store artifacts.Store, cacheDir string) (*pictures, error) {
	p := &pictures{store: store, dir: filepath.Join(cacheDir, "packs"), decodes: make(chan struct{}, decodesAtOnce)}
	var err error
	if p.packs, err = lru.New[string, *dataset.Pack](keptPacks); err != nil {
		return nil, err
	}
	p.small, err = lru.New[string, []byte](keptThumbnails)
	return p, err
}

func (p *pictures) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pack := range p.packs.Values() {
		_ = pack.Close() // it was only read
	}
	p.packs.Purge()
}

// pack fetches a data set into the cache, where workers keep it too.
func (p *pictures) pack(ctx context.Context, ref plan.Ref) (*dataset.Pack, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.packs.Get(ref.Digest); ok {
		return known, nil
	}
	path := filepath.Join(p.dir, ref.Digest+".tar")
	if err := artifacts.Fetch(ctx, p.store, ref.Key, path, ref.Digest); err != nil {
		return nil, fmt.Errorf("fetch the data set: %w", err)
	}
	pack, err := dataset.OpenPack(path)
	if err != nil {
		return nil, err
	}
	p.packs.Add(ref.Digest, pack)
	return pack, nil
}

// thumbnail is a picture as a JPEG that fits into a square of that side.
func (p *pictures) thumbnail(ctx context.Context, pack *dataset.Pack, digest string, sample, side int) ([]byte, error) {
	name := fmt.Sprint(digest, "/", sample, "/", side)
	if known, ok := p.small.Get(name); ok {
		return known, nil
	}
	if s := pack.Index.Samples[sample]; s.Width*s.Height > largestPicture {
		return nil, problemf(http.StatusUnprocessableEntity, "look at the file itself", "the picture has %d×%d pixels, too many to show", s.Width, s.Height)
	}
	select {
	case p.decodes <- struct{}{}:
		defer func() { <-p.decodes }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	data, err := pack.Picture(sample)
	if err != nil {
		return nil, err
	}
	small, err := dataset.Thumbnail(data, side)
	if err != nil {
		return nil, fmt.Errorf("picture %s: %w", pack.Index.Samples[sample].File, err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: 85}); err != nil {
		return nil, fmt.Errorf("picture %s: %w", pack.Index.Samples[sample].File, err)
	}
	p.small.Add(name, b.Bytes())
	return b.Bytes(), nil
}

type pictureInput struct {
	SweepInput
	Index       int    `path:"index" minimum:"0" doc:"the picture's number in the data set"`
	Size        int    `query:"size" minimum:"16" maximum:"512" default:"256" doc:"of the square that it fits into, in pixels"`
	IfNoneMatch string `header:"If-None-Match" maxLength:"1000"`
}

type pictureOutput struct {
	Status       int
	ContentType  string `header:"Content-Type"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (s *Server) getPicture(ctx context.Context, in *pictureInput) (*pictureOutput, error) {
	p, err := s.o.Scheduler.Plan(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	if in.Index >= len(p.Data.Labels) {
		return nil, problemf(http.StatusNotFound, fmt.Sprintf("pictures are numbered 0 to %d", len(p.Data.Labels)-1), "the data set has no picture %d", in.Index)
	}
	// The digest names the data set's content, so that the picture never changes.
	out := &pictureOutput{Status: http.StatusOK, ContentType: "image/jpeg", CacheControl: "private, max-age=3600",
		ETag: fmt.Sprintf(`"%.16s-%d-%d"`, p.Data.Pack.Digest, in.Index, in.Size)}
	if strings.Contains(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	pack, err := s.pictures.pack(ctx, p.Data.Pack)
	if err != nil {
		return nil, err
	}
	if in.Index >= len(pack.Index.Samples) {
		return nil, fmt.Errorf("the pack of sweep %s has fewer pictures than its plan says", p.ID)
	}
	out.Body, err = s.pictures.thumbnail(ctx, pack, p.Data.Pack.Digest, in.Index, in.Size)
	return out, err
}
