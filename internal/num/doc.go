// Package num holds the rules of numbers and of equality of values that kernels, folds and walkers share.
//
// In: int64, float64, decimal digits of integers beyond int64, JSON text. Out: exact comparisons, hashes that are equal for
// equal numbers whatever their form, byte keys that order like the values, sums whose result does not show the order of
// adding. Nothing here fails or keeps state; everything is safe for concurrent use.
//
// A "big" is the decimal digits of an integer outside int64: a minus sign when negative, no leading zero. Every float64 of
// such a size is an integer too, so the two compare by digits and no arbitrary arithmetic is needed.
package num
