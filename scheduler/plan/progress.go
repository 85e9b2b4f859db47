package plan

// FeaturesStage is the Stage of a job that runs the frozen part of its network
// over the pictures.
const FeaturesStage = "computing features"

// Progress is what a running job last said of itself. It is only for display:
// it is kept beside the queue, not in the artifact store, and losing it harms
// nothing.
type Progress struct {
	Job     string `json:"job"`
	Attempt int    `json:"attempt,omitempty"` // from 1
	Host    string `json:"host"`
	Device  string `json:"device"`
	// Stage is what the job does before it trains, such as FeaturesStage; Step and
	// Steps are then the pictures done and all of them. Empty: it trains.
	Stage   string  `json:"stage,omitempty"`
	Epoch   int     `json:"epoch"`  // finished epochs
	Epochs  int     `json:"epochs"` // of the whole job
	Step    int     `json:"step"`   // finished steps of the whole job
	Steps   int     `json:"steps"`  // of the whole job
	Loss    float64 `json:"loss,omitempty"`
	Seconds float64 `json:"seconds"`           // since the attempt began
	ETA     float64 `json:"eta,omitempty"`     // seconds left; 0 while unknown
	Updated string  `json:"updated,omitempty"` // RFC 3339, UTC
}
