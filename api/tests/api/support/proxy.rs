//! A door before the database that a test can shut: connections break and new ones are refused.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    open: Arc<watch::Sender<bool>>,
}

impl Proxy {
    /// Before the server of `url`; gives the URL through it.
    pub async fn before(url: &str) -> (Self, String) {
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let target = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::channel(true).0);
        let gate = open.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut state, target) = (gate.subscribe(), target.clone());
                tokio::spawn(async move {
                    if !*state.borrow() {
                        return;
                    }
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        let through = url.replace(&format!("{}:{}", options.get_host(), options.get_port()), &address.to_string());
        assert_ne!(through, url, "the URL must name host and port");
        (Self { open }, through)
    }

    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    pub fn reopen(&self) {
        self.open.send_replace(true);
    }
}
