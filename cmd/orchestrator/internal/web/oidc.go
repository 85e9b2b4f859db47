package web

// OIDC is a provider of identities.
type OIDC struct {
	Name string
}
