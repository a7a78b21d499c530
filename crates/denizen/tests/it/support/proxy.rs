//! Two things between a caller and a server: a load balancer without stickiness, and a wire that can be cut.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

/// Gives each request, one after the other, to the next node that takes connections. Connections are closed after
/// each request, so that a browser cannot stay at one node.
pub(crate) struct RoundRobin {
    port: u16,
    task: AbortHandle,
}

impl RoundRobin {
    pub(crate) async fn start(nodes: Vec<u16>) -> Self {
        Self::start_on(super::free_port(), nodes).await
    }

    pub(crate) async fn start_on(port: u16, nodes: Vec<u16>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let turn = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                let (nodes, turn) = (nodes.clone(), turn.clone());
                open.spawn(async move { pass(caller, &nodes, &turn).await.ok() });
                while open.try_join_next().is_some() {}
            }
        });
        Self { port, task: task.abort_handle() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for RoundRobin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut caller: TcpStream, nodes: &[u16], turn: &AtomicUsize) -> std::io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if caller.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    let mut node = connect(nodes, turn).await?;
    let text = String::from_utf8_lossy(&head[..end]);
    for line in text.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:")) {
        node.write_all(line.as_bytes()).await?;
        node.write_all(b"\r\n").await?;
    }
    node.write_all(b"Connection: close\r\n\r\n").await?;
    node.write_all(&head[end + 4..]).await?;
    copy_bidirectional(&mut caller, &mut node).await?;
    Ok(())
}

async fn connect(nodes: &[u16], turn: &AtomicUsize) -> std::io::Result<TcpStream> {
    let mut last = None;
    // A node that is down is left out, as any load balancer does.
    for _ in nodes {
        let next = nodes[turn.fetch_add(1, Ordering::Relaxed) % nodes.len()];
        match TcpStream::connect(("127.0.0.1", next)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap())
}

/// A wire to an address that can be cut and mended.
pub(crate) struct Wire {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

#[derive(Default)]
struct State {
    cut: bool,
    open: Vec<AbortHandle>,
}

impl Wire {
    pub(crate) async fn to(address: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, address) = (state.clone(), address.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut state = shared.lock().unwrap();
                // When cut, the connection is closed at once.
                if !state.cut {
                    let address = address.clone();
                    let passing = tokio::spawn(async move {
                        if let Ok(mut far) = TcpStream::connect(address).await {
                            copy_bidirectional(&mut near, &mut far).await.ok();
                        }
                    });
                    state.open.push(passing.abort_handle());
                }
            }
        });
        Self { port, state, task: task.abort_handle() }
    }

    /// Closes what is open; nothing comes through until [`Wire::mend`].
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.cut = true;
        for open in state.open.drain(..) {
            open.abort();
        }
    }

    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().cut = false;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}
