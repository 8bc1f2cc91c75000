package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"revela/model/checkpoint"
)

// Network is a backbone with its memory.
type Network interface {
	Backbone
	// Free gives all memory back.
	Free()
	// source is the checkpoint that the network was read from.
	source() *checkpoint.Weights
}

var decoders = map[string]func(c *checkpoint.Config) decoderKind{}

// registerDecoder adds an architecture by config.json's model_type.
func registerDecoder(modelType string, kind func(c *checkpoint.Config) decoderKind) {
	decoders[modelType] = kind
}

// Load reads the network of a checkpoint's folder, without output head.
func Load(dir string, o Options) (Network, error) {
	c, err := checkpoint.ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	if c.ModelType == "bert" {
		return loadBERT(dir, c, o)
	}
	return loadDecoderOf(dir, c, false, o)
}

// loadDecoderOf reads a decoder of whatever architecture config.json names.
func loadDecoderOf(dir string, c *checkpoint.Config, wantHead bool, o Options) (*Decoder, error) {
	kind, ok := decoders[c.ModelType]
	if !ok {
		return nil, fmt.Errorf("%s: model_type %q is not supported as a %s; %s expected", c.File, c.ModelType,
			map[bool]string{true: "language model", false: "retriever"}[wantHead],
			strings.Join(supported(wantHead), ", "))
	}
	return loadDecoder(dir, c, kind(c), wantHead, o)
}

func supported(decodersOnly bool) []string {
	names := slices.Sorted(maps.Keys(decoders))
	if !decodersOnly {
		names = append([]string{"bert"}, names...)
	}
	return names
}

// Supported lists the values of config.json's model_type that Load knows.
func Supported() []string { return supported(false) }
