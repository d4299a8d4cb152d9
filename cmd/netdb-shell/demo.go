package main

import "context"

func (sh *shell) demo(ctx context.Context, dir string) error { return nil }
