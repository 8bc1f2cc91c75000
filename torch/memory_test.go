package torch

import "testing"

// TestLargeTensorsKeepApart makes and frees tensors of many sizes in an order that leaves holes, and looks at what the
// others hold.
func TestLargeTensorsKeepApart(t *testing.T) {
	s := NewScope()
	defer s.Close()
	type held struct {
		scope *Scope
		t     Tensor
		value float32
	}
	var live []held
	for i := range 400 {
		sub := NewScope()
		n := int64(30_000 + i*7919%90_000) // 120 to 480 kB
		values := make([]float32, n)
		for j := range values {
			values[j] = float32(i)
		}
		live = append(live, held{sub, From(sub, values, n), float32(i)})
		if i%3 == 2 {
			drop := i * 31 % len(live)
			live[drop].scope.Close()
			live = append(live[:drop], live[drop+1:]...)
		}
	}
	for _, h := range live {
		for _, v := range read(t, h.scope.To(h.t, Float64)) {
			if v != float64(h.value) {
				t.Fatalf("tensor of %g holds %g", h.value, v)
			}
		}
		h.scope.Close()
	}
}
