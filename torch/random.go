package torch

// #include "shim.h"
// #include "shim_device.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

const cpu = -1 // gotch's number of the CPU device

// Seed starts libtorch's generators from seed.
func Seed(seed uint64) error { return failure("seed", C.revela_manual_seed(C.uint64_t(seed))) }

// RandomState returns the state of the CPU's generator and, where tensors lie on a device with one of its own, of that one,
// to be stored in a checkpoint.
func RandomState() ([]byte, error) {
	s := NewScope()
	defer s.Close()
	state := s.shim("random state", nil, func(out *unsafe.Pointer) *C.char { return C.revela_rng_state(out) })
	if s.err != nil {
		return nil, s.err
	}
	bytes, err := state.Bytes()
	if err != nil {
		return nil, err
	}
	var device Tensor
	if err := failure("random state", C.revela_device_rng_state(device.out())); err != nil || !device.Defined() {
		return bytes, err
	}
	more, err := s.Own(device).Bytes()
	return append(bytes, more...), err
}

// SetRandomState restores what RandomState returned. A state of the CPU alone leaves the device's as it is.
func SetRandomState(state []byte) error {
	s := NewScope()
	defer s.Close()
	now := s.shim("random state", nil, func(out *unsafe.Pointer) *C.char { return C.revela_rng_state(out) })
	size := min(int(s.Size(now, 0)), len(state))
	t := s.hostBytes(state[:size])
	if s.err != nil {
		return s.err
	}
	if err := failure("set random state", C.revela_set_rng_state(t.c())); err != nil || size == len(state) || !OnDevice() {
		return err
	}
	rest := s.hostBytes(state[size:])
	if s.err != nil {
		return s.err
	}
	return failure("set random state", C.revela_set_device_rng_state(rest.c()))
}

// hostBytes returns a tensor of bytes that lies on the CPU whatever the device is.
func (s *Scope) hostBytes(data []byte) Tensor {
	return s.onHost("tensor of slice", data, Uint8, []int64{int64(len(data))}, true)
}

// Zeros returns a tensor of zeros.
func (s *Scope) Zeros(dtype DType, shape ...int64) Tensor {
	return s.shim("zeros", nil, func(out *unsafe.Pointer) *C.char {
		return C.revela_zeros(cints(shape), C.int(len(shape)), C.int(dtype), out)
	})
}

// Randn returns independent draws of the standard normal distribution. Like all draws, they are the CPU generator's: a seed
// gives the same numbers on every device.
func (s *Scope) Randn(dtype DType, shape ...int64) Tensor {
	return s.placed(s.gotch("randn", nil, func(out *lib.Ctensor) { lib.AtgRandn(out, shape, len(shape), int32(dtype), cpu) }))
}

// Uniform returns independent draws of the uniform distribution over [low, high).
func (s *Scope) Uniform(dtype DType, low, high float64, shape ...int64) Tensor {
	unit := s.placed(s.gotch("rand", nil, func(out *lib.Ctensor) { lib.AtgRand(out, shape, len(shape), int32(dtype), cpu) }))
	return s.Shift(s.Scale(unit, high-low), low)
}

// RandInt returns independent int64 draws of [low, high).
func (s *Scope) RandInt(low, high int64, shape ...int64) Tensor {
	return s.placed(s.gotch("randint", nil, func(out *lib.Ctensor) {
		lib.AtgRandintLow(out, low, high, shape, len(shape), int32(Int64), cpu)
	}))
}
