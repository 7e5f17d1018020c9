//! Real servers on the loopback interface for the suites: an S3 server that checks signatures and OpenSSH with SFTP.
//! Each is a child of the test, on a free port, with a directory of its own, and is gone when it is dropped.
//! A server that cannot run here is said so (`SKIPPED: …`), never passed over in silence.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::must;
use crate::secrets::{ALLOWED_HOSTS, SecretFiles};
use crate::store::{S3Options, StoreOptions};
use crate::transport::sftp::{SftpAuth, SftpOptions};

/// The account of the SFTP server; made when it is missing.
const ACCOUNT: &str = "openreg-sftp";
/// Its password, on the loopback interface only.
const PASSWORD: &str = "correct horse battery";
/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = must("find a free port", TcpListener::bind(("127.0.0.1", 0)));
    must("find a free port", listener.local_addr()).port()
}

/// Starts `command` and waits until it listens.
fn listening(mut command: Command, port: u16) -> Result<Process, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("could not start {name}: {e}"))?;
    let mut process = Process(child);
    let begun = Instant::now();
    while begun.elapsed() < START {
        if let Ok(Some(status)) = process.0.try_wait() {
            return Err(format!("{name} ended at once: {status}"));
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(process);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{name} does not listen on port {port}"))
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("could not run {program}: {e}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// A Secret in a directory below `parent`.
pub fn secret(parent: &Path, name: &str, values: &[(&str, &str)]) -> SecretFiles {
    let directory = parent.join(name);
    must("make a secret", fs::create_dir_all(&directory));
    for (key, value) in values {
        must("write a secret", fs::write(directory.join(key), value));
    }
    SecretFiles::new(name, directory)
}

/// An S3 server with one bucket.
pub struct S3Server {
    process: Option<Process>,
    directory: tempfile::TempDir,
    program: PathBuf,
    port: u16,
    tls: bool,
}

impl S3Server {
    /// The bucket.
    pub const BUCKET: &'static str = "artifacts";
    /// The access key.
    pub const ACCESS_KEY: &'static str = "openreg-test";
    /// Its secret.
    pub const SECRET_KEY: &'static str = "only-on-loopback";

    /// A server, or the reason why there is none, printed.
    pub fn start() -> Option<Self> {
        Self::with_tls(false)
    }

    /// One that speaks TLS with a certificate of its own, which [`S3Server::secret`] holds as `ca.crt`.
    pub fn start_tls() -> Option<Self> {
        Self::with_tls(true)
    }

    fn with_tls(tls: bool) -> Option<Self> {
        let Some(program) = versitygw() else {
            println!("SKIPPED: there is no versitygw; tests/services/versitygw.sh builds it");
            return None;
        };
        let directory = must("make a directory", tempfile::tempdir());
        must("make the bucket", fs::create_dir_all(directory.path().join("data").join(Self::BUCKET)));
        must("make a directory", fs::create_dir_all(directory.path().join("meta")));
        let mut server = Self {
            process: None,
            directory,
            program,
            port: free_port(),
            tls,
        };
        if tls {
            let (key, certificate) = (server.file("key.pem"), server.file("cert.pem"));
            let mut arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=openreg-test"
                .split(' ')
                .collect::<Vec<_>>();
            arguments.extend([
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ]);
            must("make a certificate", run("openssl", &arguments));
        }
        server.resume();
        Some(server)
    }

    /// Starts it again on its port, with its data.
    pub fn resume(&mut self) {
        let mut command = Command::new(&self.program);
        command.args([
            "--port",
            &format!("127.0.0.1:{}", self.port),
            "--access",
            Self::ACCESS_KEY,
            "--secret",
            Self::SECRET_KEY,
            "--quiet",
        ]);
        if self.tls {
            command.args(["--cert", &self.file("cert.pem"), "--key", &self.file("key.pem")]);
        }
        command
            .arg("posix")
            .arg("--sidecar")
            .arg(self.directory.path().join("meta"))
            .arg(self.directory.path().join("data"));
        match listening(command, self.port) {
            Ok(process) => self.process = Some(process),
            Err(e) => panic!("{e}"),
        }
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// What a user would write to use it.
    pub fn options(&self) -> S3Options {
        S3Options {
            endpoint: Some(format!("{}://127.0.0.1:{}", if self.tls { "https" } else { "http" }, self.port)),
            region: "us-east-1".to_owned(),
            bucket: Self::BUCKET.to_owned(),
            prefix: Some("openreg/".to_owned()),
            path_style: Some(true),
            ca_key: self.tls.then(|| "ca.crt".to_owned()),
        }
    }

    /// The same as a store.
    pub fn store(&self) -> StoreOptions {
        StoreOptions::S3(self.options())
    }

    /// Credentials that it accepts.
    pub fn secret(&self) -> SecretFiles {
        let allowed = format!("127.0.0.1:{}\n", self.port);
        let authority = if self.tls {
            must("read the certificate", fs::read_to_string(self.file("cert.pem")))
        } else {
            String::new()
        };
        secret(
            self.directory.path(),
            "s3",
            &[
                ("accessKeyId", Self::ACCESS_KEY),
                ("secretAccessKey", Self::SECRET_KEY),
                (ALLOWED_HOSTS, &allowed),
                ("ca.crt", &authority),
            ],
        )
    }

    /// Multipart uploads that were begun and neither finished nor aborted.
    pub fn unfinished_uploads(&self) -> usize {
        let root = self.directory.path().join("data").join(Self::BUCKET).join(".sgwtmp").join("multipart");
        fs::read_dir(root).map_or(0, |objects| {
            objects
                .flatten()
                .map(|o| fs::read_dir(o.path()).map_or(0, |uploads| uploads.flatten().filter(|u| u.path().is_dir()).count()))
                .sum()
        })
    }
}

/// The server's program: on the path, or where `tests/services/versitygw.sh` says that it built it.
fn versitygw() -> Option<PathBuf> {
    if run("versitygw", &["--version"]).is_ok() {
        return Some("versitygw".into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/services/versitygw.sh");
    let output = Command::new(script).arg("path").stdin(Stdio::null()).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    (output.status.success() && path.is_file()).then_some(path)
}

/// OpenSSH with an account that may use SFTP and nothing else.
pub struct Sshd {
    process: Option<Process>,
    directory: tempfile::TempDir,
    port: u16,
}

impl Sshd {
    /// The user's name.
    pub const USER: &'static str = ACCOUNT;
    /// Its password.
    pub const PASSWORD: &'static str = PASSWORD;

    /// A server, or the reason why there is none, printed.
    pub fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(server) => Some(server),
            Err(reason) => {
                println!("SKIPPED: no SFTP server: {reason}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        account()?;
        let directory = tempfile::tempdir().map_err(|e| format!("could not make a directory: {e}"))?;
        let mut server = Self {
            process: None,
            directory,
            port: free_port(),
        };
        must("open the directory", fs::set_permissions(server.path(), fs::Permissions::from_mode(0o755)));
        for kind in ["ed25519", "rsa", "ecdsa"] {
            run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", &server.file(&format!("host_{kind}"))])?;
        }
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &server.file("user")])?;
        run("ssh-keygen", &["-q", "-t", "rsa", "-N", "", "-f", &server.file("user_rsa")])?;
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "open sesame", "-f", &server.file("user_locked")])?;
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &server.file("stranger")])?;
        let keys: String = ["user.pub", "user_rsa.pub", "user_locked.pub"]
            .map(|k| must("read a key", fs::read_to_string(server.file(k))))
            .concat();
        must("write the keys", fs::write(server.file("authorized_keys"), keys));
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host_ed25519\nHostKey {dir}/host_rsa\nHostKey {dir}/host_ecdsa\nPidFile none\nUsePAM no\nStrictModes no\n\
             AllowUsers {ACCOUNT}\nAuthorizedKeysFile {dir}/authorized_keys\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n\
             AllowTcpForwarding no\nPermitTTY no\nMaxStartups 200\nMaxSessions 50\n",
            port = server.port,
            dir = server.path().display()
        );
        must("write the configuration", fs::write(server.file("sshd_config"), config));
        must("make a directory", fs::create_dir_all("/run/sshd"));
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f", &server.file("sshd_config")]);
        server.process = Some(listening(command, server.port)?);
        Ok(server)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new directory that the account may write.
    pub fn directory(&self, name: &str) -> String {
        let path = self.path().join(name);
        must("make a directory", fs::create_dir_all(&path));
        must(
            "give it away",
            run("chown", &[ACCOUNT, &path.display().to_string()]).map_err(std::io::Error::other),
        );
        path.display().to_string()
    }

    /// The public key of one of its host keys: `ed25519`, `rsa` or `ecdsa`.
    pub fn host_key(&self, kind: &str) -> String {
        let line = must("read the host key", fs::read_to_string(self.file(&format!("host_{kind}.pub"))));
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// A private key: `user`, `user_rsa`, `user_locked` (passphrase `open sesame`), or `stranger`, which it refuses.
    pub fn private_key(&self, name: &str) -> String {
        must("read a key", fs::read_to_string(self.file(name)))
    }

    /// What a user would write to use it, at another port if there is something in between.
    pub fn options(&self, port: u16, directory: &str, auth: SftpAuth) -> SftpOptions {
        SftpOptions {
            host: "127.0.0.1".to_owned(),
            port: Some(port),
            directory: directory.to_owned(),
            host_keys: vec![self.host_key("ed25519")],
            auth,
        }
    }

    /// A Secret for it with more values.
    pub fn secret(&self, port: u16, name: &str, values: &[(&str, &str)]) -> SecretFiles {
        let allowed = format!("127.0.0.1:{port}\n");
        let mut all = vec![("username", ACCOUNT), (ALLOWED_HOSTS, allowed.as_str())];
        all.extend_from_slice(values);
        secret(self.path(), &format!("secret-{name}"), &all)
    }

    /// Options and Secret to log in with the password.
    pub fn with_password(&self, directory: &str) -> (SftpOptions, SecretFiles) {
        let options = self.options(self.port, directory, SftpAuth::PasswordKey("password".to_owned()));
        (options, self.secret(self.port, "password", &[("password", PASSWORD)]))
    }
}

/// Makes the account; only root can. Tests run side by side and the account files have one lock, so it is tried again.
fn account() -> Result<(), String> {
    let mut last = Ok(());
    for _ in 0..50 {
        last = try_account();
        if last.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    last
}

fn try_account() -> Result<(), String> {
    if run("id", &["-u", ACCOUNT]).is_err() {
        run(
            "useradd",
            &["--system", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", ACCOUNT],
        )?;
    }
    run("sh", &["-c", &format!("echo '{ACCOUNT}:{PASSWORD}' | chpasswd")])
}
