package redex

// Seed is what a restored store begins with.
type Seed struct {
	ID      StoreID      // the identity of the store that is restored
	Epochs  []EpochStart // of it, oldest first
	Cut     Cut          // the moment that is restored; what follows begins a new epoch
	NextLog LogID        // above the id of every log that store ever made
}

// meta is the state of the catalog of a store that begins with the seed.
func (seed *Seed) meta() metaRecord {
	m := metaRecord{ordinal: seed.Cut.Ordinal, time: seed.Cut.Time, nextLog: max(seed.NextLog, 1), nextFile: 1}
	for _, e := range seed.Epochs {
		m.epochs = append(m.epochs, epochStart{e.Epoch, e.First})
	}
	return m
}
