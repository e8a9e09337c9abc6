// One side of a handshake by flynn/noise, an implementation that shares nothing with ours, for tests.
//
// The first line of standard input is PATTERN ROLE SECRET OTHER PROLOGUE: KK or XXpsk0; initiator or responder; our secret key;
// the other side's public key (KK) or the shared secret (XXpsk0). Then come
//
//	write PAYLOAD            -> our next message
//	read MESSAGE             -> the payload of theirs
//	seal COUNTER AD TEXT     -> ciphertext and tag, once the handshake is done
//	open COUNTER AD SEALED   -> the text
//	remote                   -> the other side's public key
//
// a line each, answered by a line: hexadecimal, "-" for no bytes, "refused" for what flynn/noise refuses.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/flynn/noise"
)

type peer struct {
	state         *noise.HandshakeState
	initiator     bool
	send, receive noise.Cipher
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	side := begin(strings.Fields(lines.Text()))
	for lines.Scan() {
		answer, err := side.do(strings.Fields(lines.Text()))
		if err != nil {
			fmt.Println("refused")
		} else {
			fmt.Println(encode(answer))
		}
	}
}

func begin(words []string) *peer {
	suite := noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashBLAKE2b)
	config := noise.Config{CipherSuite: suite, Initiator: words[1] == "initiator", Prologue: decode(words[4])}
	config.StaticKeypair = keyPair(suite, decode(words[2]))
	if words[0] == "KK" {
		config.Pattern = noise.HandshakeKK
		config.PeerStatic = decode(words[3])
	} else {
		config.Pattern = noise.HandshakeXX
		config.PresharedKey = decode(words[3])
	}
	state, err := noise.NewHandshakeState(config)
	if err != nil {
		panic(err)
	}
	return &peer{state: state, initiator: config.Initiator}
}

// keyPair lets the suite make the pair of a secret key that it takes for random bytes.
func keyPair(suite noise.CipherSuite, secret []byte) noise.DHKey {
	pair, err := suite.GenerateKeypair(strings.NewReader(string(secret)))
	if err != nil {
		panic(err)
	}
	return pair
}

func (p *peer) do(words []string) ([]byte, error) {
	switch words[0] {
	case "write":
		message, first, second, err := p.state.WriteMessage(nil, decode(words[1]))
		p.take(first, second)
		return message, err
	case "read":
		payload, first, second, err := p.state.ReadMessage(nil, decode(words[1]))
		p.take(first, second)
		return payload, err
	case "seal":
		return p.send.Encrypt(nil, counter(words[1]), decode(words[2]), decode(words[3])), nil
	case "open":
		return p.receive.Decrypt(nil, counter(words[1]), decode(words[2]), decode(words[3]))
	}
	return p.state.PeerStatic(), nil
}

// take keeps the ciphers that the last message gives: the first is the initiator's.
func (p *peer) take(first, second *noise.CipherState) {
	if first == nil {
		return
	}
	p.send, p.receive = first.Cipher(), second.Cipher()
	if !p.initiator {
		p.send, p.receive = p.receive, p.send
	}
}

func counter(word string) uint64 {
	number, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		panic(err)
	}
	return number
}

func decode(word string) []byte {
	if word == "-" {
		return nil
	}
	bytes, err := hex.DecodeString(word)
	if err != nil {
		panic(err)
	}
	return bytes
}

func encode(bytes []byte) string {
	if len(bytes) == 0 {
		return "-"
	}
	return hex.EncodeToString(bytes)
}
