package cli

import (
	"fmt"
	"os"
	"strconv"
)

// ranks returns which of several processes this is and how many there are, from the environment that torchrun and other
// launchers set; 0 of 1 where they are not set.
func ranks() (rank, world int, err error) {
	world = 1
	for _, variable := range []struct {
		name  string
		value *int
	}{{"RANK", &rank}, {"WORLD_SIZE", &world}} {
		text, found := os.LookupEnv(variable.name)
		if !found {
			continue
		}
		if *variable.value, err = strconv.Atoi(text); err != nil {
			return 0, 1, fmt.Errorf("environment: %s is %q, expected a whole number", variable.name, text)
		}
	}
	if world < 1 || rank < 0 || rank >= world {
		return 0, 1, fmt.Errorf("environment: RANK is %d and WORLD_SIZE %d, expected a rank from 0 on and below WORLD_SIZE", rank, world)
	}
	return rank, world, nil
}
