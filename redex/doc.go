// Package redex (RedEX) keeps durable append-only logs of events.
package redex
