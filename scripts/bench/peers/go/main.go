// The process of the Go client (golang.org/x/crypto/ssh): the protocol of protocol.ts. One connection a host, dialed by
// whoever comes first; a session for each command.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

type target struct {
	Address, User, Identity, HostKey string
	Port                             int
}

type ask struct {
	Command                   string
	Count, Concurrency, Hosts int
	Fresh, Release            bool
}

type answer struct {
	LatenciesMs []float64 `json:"latenciesMs"`
	Failed      int       `json:"failed"`
	WallMs      float64   `json:"wallMs"`
	Error       string    `json:"error,omitempty"`
}

type host struct {
	once   sync.Once
	client *ssh.Client
	err    error
}

func main() {
	var to target
	must(json.Unmarshal([]byte(os.Args[1]), &to))
	key, err := os.ReadFile(to.Identity)
	must(err)
	signer, err := ssh.ParsePrivateKey(key)
	must(err)
	dial := func() (*ssh.Client, error) {
		return ssh.Dial("tcp", fmt.Sprintf("%s:%d", to.Address, to.Port), &ssh.ClientConfig{
			User:            to.User,
			Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		})
	}
	var hosts []*host
	in := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked ask
		must(json.Unmarshal(in.Bytes(), &asked))
		if asked.Release {
			release(hosts)
			hosts = nil
			must(out.Encode(answer{LatenciesMs: []float64{}}))
			continue
		}
		for len(hosts) < asked.Hosts {
			hosts = append(hosts, &host{})
		}
		must(out.Encode(run(asked, hosts, dial)))
	}
	release(hosts)
}

func run(asked ask, hosts []*host, dial func() (*ssh.Client, error)) answer {
	said := answer{LatenciesMs: []float64{}}
	var lock sync.Mutex
	var workers sync.WaitGroup
	next := int64(-1)
	began := time.Now()
	for worker := 0; worker < asked.Concurrency && worker < asked.Count; worker++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for number := int(atomic.AddInt64(&next, 1)); number < asked.Count; number = int(atomic.AddInt64(&next, 1)) {
				at := hosts[number%asked.Hosts]
				if asked.Fresh {
					at = &host{}
				}
				began := time.Now()
				at.once.Do(func() { at.client, at.err = dial() })
				err := at.err
				if err == nil {
					err = exec(at.client, asked.Command)
				}
				took := float64(time.Since(began)) / float64(time.Millisecond)
				lock.Lock()
				if err == nil {
					said.LatenciesMs = append(said.LatenciesMs, took)
				} else {
					said.Failed++
					if said.Error == "" {
						said.Error = err.Error()
					}
				}
				lock.Unlock()
				if asked.Fresh && at.client != nil {
					at.client.Close()
				}
			}
		}()
	}
	workers.Wait()
	said.WallMs = float64(time.Since(began)) / float64(time.Millisecond)
	return said
}

func exec(client *ssh.Client, command string) error {
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	session.Stdout, session.Stderr = io.Discard, io.Discard
	return session.Run(command)
}

func release(hosts []*host) {
	for _, at := range hosts {
		if at.client != nil {
			at.client.Close()
		}
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-go:", err)
		os.Exit(1)
	}
}
