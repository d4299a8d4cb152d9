// Package waitheap orders those who wait for a number that only grows, so that whoever raises it finds those to wake without looking
// at the others.
//
// Data in: numbers that are waited for. Data out: the waiters whose number was reached, lowest first, and of equal ones the first to
// come. A Heap is not safe for concurrent use; the channels of its waiters are.
package waitheap
