package redex

import "testing"

func TestClaim(t *testing.T) {
	s, err := OpenMemory(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release, ok := s.Views("a").Claim()
	if !ok {
		t.Fatal("nobody has it")
	}
	if _, ok := s.Views("a").Claim(); ok {
		t.Fatal("two have it")
	}
	if _, ok := s.Views("b").Claim(); !ok {
		t.Fatal("another name")
	}
	release()
	again, ok := s.Views("a").Claim()
	if !ok {
		t.Fatal("it was given up")
	}
	release() // gives up nothing a second time
	if _, ok := s.Views("a").Claim(); ok {
		t.Fatal("two have it")
	}
	again()
}
