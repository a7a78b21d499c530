//! The queue in front of the hashing threads: those who wait take turns, so that whoever brings many passwords waits for
//! their own, not everybody for them.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    net::IpAddr,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// With whom somebody waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Turn {
    /// New passwords, whose people were let in before, and who comes from no known address.
    #[default]
    Own,
    /// Those of one network.
    Network(IpAddr),
    /// All those from whom guesses come, wherever they are: together they wait as one, and leave a thread to the others.
    Suspects,
}

/// Jobs by turn.
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    threads: usize,
    capacity: usize,
}

struct State<J> {
    /// Who has somebody waiting, each once, the next first.
    order: VecDeque<Turn>,
    waiting: HashMap<Turn, VecDeque<J>>,
    len: usize,
    /// How many threads work for suspects now.
    suspects: usize,
    closed: bool,
}

impl<J> Queue<J> {
    /// A queue for so many threads, in which so many may wait.
    pub(super) fn new(threads: usize, capacity: usize) -> Self {
        let state = State { order: VecDeque::new(), waiting: HashMap::new(), len: 0, suspects: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), threads, capacity }
    }

    /// Nothing that panics runs under this lock; were it poisoned all the same, the state would be whole.
    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.state().len
    }

    /// Adds a job, unless the queue is full or those of this turn fill half of it.
    pub(super) fn push(&self, turn: Turn, job: J) -> bool {
        let mut state = self.state();
        let own = state.waiting.get(&turn).map_or(0, VecDeque::len);
        // What is no guess is held back by nothing but the whole.
        let allowed = if turn == Turn::Own { self.capacity } else { self.capacity.div_ceil(2) };
        if state.len >= self.capacity || own >= allowed {
            return false;
        }
        state.len += 1;
        match state.waiting.entry(turn) {
            Entry::Occupied(mut waiting) => waiting.get_mut().push_back(job),
            Entry::Vacant(none) => {
                none.insert(VecDeque::from([job]));
                state.order.push_back(turn);
            }
        }
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Waits for a job; none when the queue is closed and empty. What is answered as its turn goes to [`Queue::done`].
    pub(super) fn pop(&self) -> Option<(Turn, J)> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.take(self.threads.saturating_sub(1).max(1)) {
                return Some(job);
            }
            if state.closed && state.len == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job of this turn is done.
    pub(super) fn done(&self, turn: Turn) {
        if turn == Turn::Suspects {
            self.state().suspects -= 1;
            // A thread may have passed over the next of them.
            self.changed.notify_one();
        }
    }

    /// What waits is still done; then the threads end.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

impl<J> State<J> {
    /// The next job, while at most so many threads may work for suspects.
    fn take(&mut self, suspects: usize) -> Option<(Turn, J)> {
        let may_run = |turn: &Turn| *turn != Turn::Suspects || self.suspects < suspects;
        let at = self.order.iter().position(may_run)?;
        let turn = self.order.remove(at)?;
        let waiting = self.waiting.get_mut(&turn)?;
        let job = waiting.pop_front()?;
        if waiting.is_empty() {
            self.waiting.remove(&turn);
        } else {
            self.order.push_back(turn);
        }
        self.len -= 1;
        self.suspects += usize::from(turn == Turn::Suspects);
        Some((turn, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Turn {
        Turn::Network(IpAddr::from([192, 0, 2, last]))
    }

    fn next(queue: &Queue<u32>) -> u32 {
        let (turn, job) = queue.pop().unwrap();
        queue.done(turn);
        job
    }

    #[test]
    fn networks_take_turns() {
        let queue = Queue::new(2, 100);
        for job in 0..10 {
            assert!(queue.push(network(1), job));
        }
        assert!(queue.push(network(2), 20));
        assert!(queue.push(Turn::Own, 30));
        assert!(queue.push(network(2), 21));
        let order: Vec<u32> = (0..13).map(|_| next(&queue)).collect();
        assert_eq!(order, [0, 20, 30, 1, 21, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn suspects_leave_a_thread_to_the_others() {
        let queue = Queue::new(2, 100);
        for job in 0..3 {
            assert!(queue.push(Turn::Suspects, job));
        }
        let (turn, first) = queue.pop().unwrap();
        assert!(queue.push(network(1), 10));
        assert!(queue.push(network(1), 11));
        assert_eq!([next(&queue), next(&queue)], [10, 11], "one suspect is being looked at, so no other is");
        queue.done(turn);
        assert_eq!([first, next(&queue), next(&queue)], [0, 1, 2]);
    }

    #[test]
    fn one_thread_serves_suspects_too() {
        let queue = Queue::new(1, 100);
        assert!(queue.push(Turn::Suspects, 0));
        assert_eq!(next(&queue), 0);
    }

    #[test]
    fn one_turn_fills_half_of_the_queue_at_most() {
        let queue = Queue::new(2, 5);
        let from = |turn, many| (0..many).filter(|job| queue.push(turn, *job)).count();
        assert_eq!(from(network(1), 10), 3);
        assert_eq!(from(Turn::Suspects, 10), 2);
        assert_eq!(from(Turn::Own, 10), 0, "it is full");
        assert_eq!(queue.len(), 5);
    }

    #[test]
    fn what_waits_is_done_after_the_close() {
        let queue = Queue::new(2, 100);
        assert!(queue.push(Turn::Own, 1));
        queue.close();
        assert_eq!(next(&queue), 1);
        assert!(queue.pop().is_none());
    }
}
