package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

func fetch(url string) (int, error) {
	response, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	return len(body), nil
}

func main() {
	var group sync.WaitGroup
	for _, url := range os.Args[1:] {
		group.Add(1)
		go func(url string) {
			defer group.Done()
			size, err := fetch(url)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			fmt.Println(url, size)
		}(url)
	}
	group.Wait()
}
