package web

import "fmt"

// Role is what somebody may do. Each includes those before it.
type Role int

// The roles.
const (
	Nobody  Role = iota // has not signed in
	View                // sees everything but secrets, which nobody sees
	Operate             // also pauses, resumes, cancels, retries and changes sweeps
	Admin               // also changes the queue itself
)

var roleNames = []string{"", "view", "operate", "admin"}

// ParseRole reads view, operate or admin.
func ParseRole(text string) (Role, error) {
	for i, name := range roleNames {
		if name == text && name != "" {
			return Role(i), nil
		}
	}
	return Nobody, fmt.Errorf("%q is not a role: view, operate or admin", text)
}

// String is the role's name, "" for Nobody.
func (r Role) String() string { return roleNames[r] }
