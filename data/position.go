package data

// Position is a place in training's stream of groups: epochs follow each other without end.
type Position struct {
	Epoch int `json:"epoch"`
	Index int `json:"index"` // of the next group in the epoch's order
}

// Position returns the place of the group with a count of groups read before it.
func (g *Groups) Position(count int64) Position {
	return Position{Epoch: int(count / int64(g.n)), Index: int(count % int64(g.n))}
}

// Count is the number of groups read before a place.
func (g *Groups) Count(p Position) int64 {
	return int64(p.Epoch)*int64(g.n) + int64(p.Index)
}

// At returns the group at a place.
func (g *Groups) At(p Position) (Group, error) { return g.Group(p.Epoch, p.Index) }
