import java.util.Properties;
import org.apache.solr.embedded.JettyConfig;
import org.apache.solr.embedded.JettySolrRunner;

/** Runs Solr below /solr: its home and its port are the arguments. */
public final class Solr {
  private Solr() {}

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    JettyConfig config = JettyConfig.builder().setContext("/solr").setPort(port).stopAtShutdown(true).build();
    new JettySolrRunner(arguments[0], new Properties(), config).start();
    Thread.currentThread().join();
  }
}
