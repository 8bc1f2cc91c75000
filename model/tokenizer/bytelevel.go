package tokenizer

// byteChars is ByteLevel's alphabet: a printable character for every byte (GPT-2's bytes_to_unicode).
var byteChars = func() (chars [256]rune) {
	next := rune(256)
	for b := range chars {
		if '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b {
			chars[b] = rune(b)
			continue
		}
		chars[b] = next
		next++
	}
	return chars
}()

// charBytes is the inverse of byteChars.
var charBytes = func() map[rune]byte {
	m := make(map[rune]byte, len(byteChars))
	for b, r := range byteChars {
		m[r] = byte(b)
	}
	return m
}()

// bytesOf turns a token of ByteLevel's alphabet into bytes; false if it has other characters.
func bytesOf(token string) ([]byte, bool) {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := charBytes[r]
		if !ok {
			return nil, false
		}
		out = append(out, b)
	}
	return out, true
}
