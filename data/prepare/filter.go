package prepare

import "fmt"

// filter holds back duplicates and numbers functions of one name. It sees the units in the order of the inputs.
type filter struct {
	functions bool
	near      bool
	seen      duplicates
	table     nearTable
	number    int            // of the next unit in the spool
	ids       map[string]int // how often a function's name came in a package, as init does
}

func newFilter(opt Options) filter {
	return filter{functions: opt.Unit == Functions, near: opt.Dedup == Near, seen: duplicates{}, ids: map[string]int{}}
}

// replay takes note of a unit that an earlier run kept, or dropped.
func (f *filter) replay(u unit) error {
	if f.functions {
		f.ids[idOf(u.pkg+"."+u.name)]++
	}
	if !u.dropped {
		f.seen.seen(digestOf(plain(u.text)))
		if f.near {
			f.table.add(newSignature(shingles(u.text)), f.number)
		}
	}
	f.number++
	return nil
}

// keep tells whether a unit is used. One that is not may be marked as dropped, to be remembered in the spool.
func (f *filter) keep(u *cutUnit, s *spool, count *readCounts) (bool, error) {
	if f.functions {
		base := u.id
		if f.ids[base]++; f.ids[base] > 1 {
			u.id += fmt.Sprintf("#%d", f.ids[base])
		}
	}
	keep, err := f.fresh(u, s, count)
	if err != nil {
		return false, err
	}
	if !keep && f.functions && !u.dropped {
		u.unit = unit{name: u.name, pkg: u.pkg, dropped: true}
	}
	if keep || u.dropped {
		f.number++
	}
	return keep, nil
}

// fresh tells whether no unit before says the same, and counts why not.
func (f *filter) fresh(u *cutUnit, s *spool, count *readCounts) (bool, error) {
	switch {
	case u.dropped:
		count.Contaminated++
		return false, nil
	case f.seen.seen(u.digest):
		count.Duplicates++
		return false, nil
	case u.near == nil:
		return true, nil
	}
	candidates := f.table.candidates(u.near)
	if len(candidates) > 0 {
		own := shingles(u.text)
		for _, number := range candidates {
			other, err := s.read(number)
			if err != nil {
				return false, err
			}
			if overlap(own, shingles(other.text)) >= minJaccard {
				count.Near++
				return false, nil
			}
		}
	}
	f.table.add(u.near, f.number)
	return true, nil
}
