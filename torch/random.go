package torch

// #include "shim.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

const cpu = -1 // gotch's number of the CPU device

// Seed starts libtorch's generators from seed.
func Seed(seed uint64) error { return failure("seed", C.revela_manual_seed(C.uint64_t(seed))) }

// RandomState returns the state of the CPU generator, to be stored in a checkpoint.
func RandomState() ([]byte, error) {
	s := NewScope()
	defer s.Close()
	state := s.shim("random state", nil, func(out *unsafe.Pointer) *C.char { return C.revela_rng_state(out) })
	if s.err != nil {
		return nil, s.err
	}
	return state.Bytes()
}

// SetRandomState restores what RandomState returned.
func SetRandomState(state []byte) error {
	s := NewScope()
	defer s.Close()
	t := s.FromBytes(state, Uint8, int64(len(state)))
	if s.err != nil {
		return s.err
	}
	return failure("set random state", C.revela_set_rng_state(t.c()))
}

// Zeros returns a tensor of zeros.
func (s *Scope) Zeros(dtype DType, shape ...int64) Tensor {
	return s.gotch("zeros", nil, func(out *lib.Ctensor) { lib.AtgZeros(out, shape, len(shape), int32(dtype), cpu) })
}

// Randn returns independent draws of the standard normal distribution.
func (s *Scope) Randn(dtype DType, shape ...int64) Tensor {
	return s.gotch("randn", nil, func(out *lib.Ctensor) { lib.AtgRandn(out, shape, len(shape), int32(dtype), cpu) })
}

// Uniform returns independent draws of the uniform distribution over [low, high).
func (s *Scope) Uniform(dtype DType, low, high float64, shape ...int64) Tensor {
	unit := s.gotch("rand", nil, func(out *lib.Ctensor) { lib.AtgRand(out, shape, len(shape), int32(dtype), cpu) })
	return s.Shift(s.Scale(unit, high-low), low)
}

// RandInt returns independent int64 draws of [low, high).
func (s *Scope) RandInt(low, high int64, shape ...int64) Tensor {
	return s.gotch("randint", nil, func(out *lib.Ctensor) {
		lib.AtgRandintLow(out, low, high, shape, len(shape), int32(Int64), cpu)
	})
}
