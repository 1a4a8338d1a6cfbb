package stack

import "testing"

func TestPushAndPop(t *testing.T) {
	var s Stack[int]
	s.Push(1)
	s.Push(2)
	for _, want := range []int{2, 1} {
		got, err := s.Pop()
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

func TestPopOfAnEmptyStack(t *testing.T) {
	var s Stack[string]
	if _, err := s.Pop(); err != ErrEmpty {
		t.Errorf("got %v, want %v", err, ErrEmpty)
	}
}
