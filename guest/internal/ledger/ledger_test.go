package ledger

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	here  = netip.MustParseAddrPort("10.0.2.15:40000")
	there = netip.MustParseAddrPort("93.184.216.34:443")
	here6 = netip.MustParseAddrPort("[fd6d:6167:656e:7400::15]:40001")
	far6  = netip.MustParseAddrPort("[2606:4700::1111]:80")
)

// both gives the table as its writer has it, and as the process that reads it when the writer is dead.
func both(t *testing.T) (writer, reader *Ledger) {
	t.Helper()
	reader, fd, err := Create()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if writer, err = Open(fd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		reader.Close()
		writer.Close()
	})
	return writer, reader
}

func TestWhatIsOpenIsSeenByTheOtherProcess(t *testing.T) {
	writer, reader := both(t)
	writer.Begin(100)
	if reader.Next() != 100 || len(reader.Entries()) != 0 {
		t.Fatal(reader.Next(), reader.Entries())
	}
	writer.Changed(100, true)
	writer.Connection(100, here, there)
	writer.Changed(102, true)
	writer.Changed(104, true)
	writer.Connection(104, here6, far6)
	writer.Changed(102, false)
	want := []Entry{{ID: 100, Src: here, Dst: there}, {ID: 104, Src: here6, Dst: far6}}
	if have := reader.Entries(); !reflect.DeepEqual(have, want) {
		t.Fatal(have)
	}
	if reader.Next() != 106 {
		t.Fatal(reader.Next())
	}
}

// A place that was another connection's must not tell its addresses: a stranger's connection would be ended.
func TestAPlaceThatIsTakenAgainHasNoOldAddresses(t *testing.T) {
	writer, reader := both(t)
	writer.Begin(2)
	writer.Changed(2, true)
	writer.Connection(2, here, there)
	writer.Changed(2, false)
	writer.Changed(4, true)
	writer.Connection(2, here, there) // too late
	if have := reader.Entries(); !reflect.DeepEqual(have, []Entry{{ID: 4}}) {
		t.Fatal(have)
	}
}

func TestANewSessionStartsEmpty(t *testing.T) {
	writer, reader := both(t)
	writer.Begin(2)
	writer.Changed(2, true)
	writer.Begin(50)
	if reader.Next() != 50 || len(reader.Entries()) != 0 {
		t.Fatal(reader.Next(), reader.Entries())
	}
	writer.Changed(2, false) // of the session before
	writer.Changed(50, true)
	if have := reader.Entries(); !reflect.DeepEqual(have, []Entry{{ID: 50}}) {
		t.Fatal(have)
	}
}

func TestMoreStreamsThanPlacesAreLeftOutAndHarmNothing(t *testing.T) {
	writer, reader := both(t)
	writer.Begin(2)
	for i := range uint32(Slots + 10) {
		writer.Changed(2+2*i, true)
		writer.Connection(2+2*i, here, there)
	}
	if n := len(reader.Entries()); n != Slots {
		t.Fatal(n)
	}
	if reader.Next() != 2+2*(Slots+10) {
		t.Fatal(reader.Next())
	}
	for i := range uint32(Slots + 10) {
		writer.Changed(2+2*i, false)
	}
	if n := len(reader.Entries()); n != 0 {
		t.Fatal(n)
	}
	writer.Changed(9000, true)
	if have := reader.Entries(); !reflect.DeepEqual(have, []Entry{{ID: 9000}}) {
		t.Fatal(have)
	}
}

// Whoever wrote it may have died in the middle of it, or been taken over.
func TestNoiseGivesOnlyStreamsThatThereCouldBe(t *testing.T) {
	_, reader := both(t)
	random := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		for i := range reader.table {
			reader.table[i] = byte(random.Uint32())
			if random.IntN(3) == 0 {
				reader.table[i] = 0
			}
		}
		entries := reader.Entries()
		if len(entries) > Slots {
			t.Fatal(len(entries))
		}
		for _, e := range entries {
			if e.ID == 0 || e.ID%2 != 0 || e.ID >= reader.Next() || e.Src.IsValid() != e.Dst.IsValid() {
				t.Fatal(e, reader.Next())
			}
		}
	}
}
